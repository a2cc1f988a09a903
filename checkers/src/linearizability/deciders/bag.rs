//! Bags whose values are put in once: decided in O(n log n).
//!
//! Whoever found the bag empty needs a moment outside all times in which some value was certainly
//! inside. These moments are chosen one by one, as early as can be; they cut time into *gaps*. Every
//! value then has a gap that its put and its take both reach into, for else it would certainly have
//! been inside at a moment between. In its gap each operation comes as soon as it can.
//!
//! That, without empty bags, is Gibbons & Korach's (*Testing shared memories*, 1997) remark that the
//! values of a multiset do not concern each other.

use super::stays::{Calls, IN_THE_END, NEVER, Stays, after};
use crate::linearizability::object::Decision;

/// Decides calls that [`reduce`](crate::linearizability::SequentialObject::reduce) has been through.
pub(crate) fn decide(calls: Calls<'_>) -> Decision {
    let (stays, moments) = match prepared(calls) {
        Ok(prepared) => prepared,
        Err(decision) => return decision,
    };
    let mut order = Vec::with_capacity(calls.len());
    for stay in &stays.stays {
        let gap = gap(&moments, stay.put.begin.max(stay.take.begin));
        let put = after(stay.put.begin);
        order.push((gap, put, 0, stay.put_call));
        let take = after(stay.take.begin).max(put);
        order.extend(stay.take_call().map(|call| (gap, take, 1, call)));
    }
    for (gap, (_, empty)) in moments.iter().enumerate() {
        order.push((gap as u32, after(NEVER), 2, *empty));
    }
    order.sort_unstable();
    Decision::Linearizable(order.into_iter().map(|(.., call)| call).collect())
}

/// All values, and the moments at which the container was found empty.
pub(super) fn prepared(calls: Calls<'_>) -> Result<(Stays, Vec<(u64, u32)>), Decision> {
    let mut stays = Stays::of(calls)?;
    if !stays.choose(calls) {
        return Err(Decision::Inapplicable);
    }
    let moments = stays.empty_moments(calls)?;
    Ok((stays, moments))
}

/// The first gap that an operation which begins with this entry can be in.
pub(super) fn gap(moments: &[(u64, u32)], begin: u32) -> u32 {
    let gap = match begin {
        IN_THE_END => moments.len(),
        _ => moments.partition_point(|(moment, _)| *moment < after(begin)),
    };
    gap as u32
}
