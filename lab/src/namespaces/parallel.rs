//! The same work for many nodes at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many nodes are worked on at once. Most of the work is waiting for the kernel.
const WORKERS: usize = 16;

/// Does `work` for each item, several at a time; the first error in the order of items, once all
/// that began are done. After an error nothing more is begun.
pub(super) fn each<T: Sync, R: Send, E: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some((index, item)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            items.get(index).map(|item| (index, item))
        } {
            let result = work(item);
            if result.is_err() {
                next.store(items.len(), Ordering::Relaxed);
            }
            done.push((index, result));
        }
        done
    };
    let mut done: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS.min(items.len())).map(|_| scope.spawn(worker)).collect();
        let results = workers.into_iter().map(|it| it.join().expect("workers do not panic"));
        results.flatten().collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_and_the_first_error_wins() {
        let items: Vec<u32> = (0..100).collect();
        let doubled = each(&items, |it| Ok::<_, ()>(it * 2)).expect("no errors");
        assert_eq!(doubled, items.iter().map(|it| it * 2).collect::<Vec<_>>());
        assert_eq!(each(&items, |it| if *it == 7 { Err(*it) } else { Ok(()) }), Err(7));
        assert_eq!(each(&[] as &[u32], |_| Ok::<(), ()>(())), Ok(vec![]));
    }
}
