//! One process and the time that it sees.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::code::{CHOICE, Code, MAGIC, OFFSETS, jump_to};

/// Where functions and code may begin, for the processor's sake.
const ALIGNMENT: usize = 16;

/// A process whose clock can be set: the code is in it.
pub(super) struct Patched {
    memory: File,
    /// Where the code is.
    start: u64,
    choice: usize,
}

impl Patched {
    /// The code in a process, if it is there.
    pub(super) fn find(pid: u32) -> io::Result<Option<Self>> {
        let (memory, range) = open(pid, false)?;
        let image = read(&memory, &range)?;
        Self::in_image(pid, &image, range.start)
    }

    fn in_image(pid: u32, image: &[u8], vdso: u64) -> io::Result<Option<Self>> {
        let places = (0..image.len()).step_by(ALIGNMENT);
        let found = places.into_iter().find(|&at| image[at..].starts_with(MAGIC));
        let Some(at) = found else { return Ok(None) };
        let (memory, _) = open(pid, true)?;
        let choice = usize::from(image[at + CHOICE] & 1);
        Ok(Some(Self { memory, start: vdso + at as u64, choice }))
    }

    /// The code in a process; it is put there if need be.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let (memory, range) = open(pid, true)?;
        let image = read(&memory, &range)?;
        if let Some(patched) = Self::in_image(pid, &image, range.start)? {
            return Ok(patched);
        }
        let code = Code::new();
        let at = gap(&image, code.bytes.len()).ok_or_else(|| {
            other(format!("the vDSO of process {pid} has no {} free bytes", code.bytes.len()))
        })?;
        let functions = functions(&image, &code)?;
        stopped(pid, &range, || {
            memory.write_all_at(&code.bytes, range.start + at as u64)?;
            for &(function, begins) in &functions {
                let jump = jump_to(function, at + begins);
                memory.write_all_at(&jump, range.start + function as u64)?;
            }
            Ok(())
        })?;
        Ok(Self { memory, start: range.start + at as u64, choice: 0 })
    }

    /// Sets by how much its clock is ahead, in nanoseconds.
    pub(super) fn set(&mut self, offset_ns: i64) -> io::Result<()> {
        let unused = 1 - self.choice;
        let place = self.start + OFFSETS[unused] as u64;
        self.memory.write_all_at(&offset_ns.to_le_bytes(), place)?;
        self.memory.write_all_at(&[unused as u8], self.start + CHOICE as u64)?;
        self.choice = unused;
        Ok(())
    }

    /// By how much its clock is ahead, in nanoseconds.
    pub(super) fn offset_ns(&self) -> io::Result<i64> {
        let mut choice = [0];
        self.memory.read_exact_at(&mut choice, self.start + CHOICE as u64)?;
        let place = self.start + OFFSETS[usize::from(choice[0] & 1)] as u64;
        let mut offset = [0; 8];
        self.memory.read_exact_at(&mut offset, place)?;
        Ok(i64::from_le_bytes(offset))
    }
}

fn other(problem: String) -> io::Error {
    io::Error::other(problem)
}

/// The memory of a process, and where its vDSO is in it. The memory stays that of the program which
/// the process runs now: if it runs another one later, nothing of that is touched.
fn open(pid: u32, writable: bool) -> io::Result<(File, Range<u64>)> {
    let memory = OpenOptions::new().read(true).write(writable).open(format!("/proc/{pid}/mem"))?;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    // A process that is about to run another program has none for a moment.
    let missing = || io::Error::new(io::ErrorKind::NotFound, format!("process {pid} has no vDSO"));
    let range = vdso(&maps).ok_or_else(missing)?;
    Ok((memory, range))
}

fn vdso(maps: &str) -> Option<Range<u64>> {
    let line = maps.lines().find(|line| line.ends_with("[vdso]"))?;
    let (start, end) = line.split_whitespace().next()?.split_once('-')?;
    Some(u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?)
}

fn read(memory: &File, range: &Range<u64>) -> io::Result<Vec<u8>> {
    let mut image = vec![0; (range.end - range.start) as usize];
    memory.read_exact_at(&mut image, range.start)?;
    Ok(image)
}

/// Room at the end of the image, where nothing is.
fn gap(image: &[u8], length: usize) -> Option<usize> {
    let at = image.len().checked_sub(length)? / ALIGNMENT * ALIGNMENT;
    image[at..].iter().all(|&byte| byte == 0).then_some(at)
}

/// Where each function of the vDSO that the code replaces begins, and where its substitute does.
fn functions(image: &[u8], code: &Code) -> io::Result<Vec<(usize, usize)>> {
    let symbols = symbols(image).ok_or_else(|| other("the vDSO has no symbols".to_owned()))?;
    let each = code.functions.iter().map(|&(name, begins)| {
        let found = symbols.iter().find(|(known, _)| *known == name.as_bytes());
        let missing = || other(format!("the vDSO has no {name}"));
        found.map(|&(_, at)| (at, begins)).ok_or_else(missing)
    });
    each.collect()
}

/// Names and places of an image's dynamic symbols. An image is mapped as it is in the file, so that
/// addresses are places in it.
fn symbols(image: &[u8]) -> Option<Vec<(&[u8], usize)>> {
    let number = |at: usize, length: usize| -> Option<usize> {
        let mut bytes = [0; 8];
        bytes[..length].copy_from_slice(image.get(at..at.checked_add(length)?)?);
        // Nothing that is looked for here lies outside of the image.
        usize::try_from(u64::from_le_bytes(bytes)).ok().filter(|&number| number <= image.len())
    };
    const DYNAMIC: usize = 2;
    const STRING_TABLE: usize = 5;
    const SYMBOL_TABLE: usize = 6;
    let (headers, count) = (number(32, 8)?, number(56, 2)?);
    let header = (0..count).map(|index| headers + 56 * index);
    let dynamic = header.into_iter().find(|&at| number(at, 4) == Some(DYNAMIC))?;
    let (at, size) = (number(dynamic + 8, 8)?, number(dynamic + 32, 8)?);
    let entry = |tag| {
        let mut entries = (at..at.checked_add(size)?).step_by(16);
        entries.find(|&at| number(at, 8) == Some(tag)).and_then(|at| number(at + 8, 8))
    };
    let (names, table) = (entry(STRING_TABLE)?, entry(SYMBOL_TABLE)?);
    let symbols = (table..names).step_by(24).filter_map(|at| {
        let name = image.get(names + number(at, 4)?..)?;
        let length = name.iter().position(|&byte| byte == 0)?;
        Some((&name[..length], number(at + 8, 8)?))
    });
    Some(symbols.collect())
}

/// Does something while no thread of a process runs, nor is in the middle of its vDSO. One that was
/// stopped before stays stopped.
fn stopped(pid: u32, vdso: &Range<u64>, work: impl Fn() -> io::Result<()>) -> io::Result<()> {
    const TRIES: u32 = 200;
    const REST: Duration = Duration::from_millis(2);
    let process = Pid::from_raw(i32::try_from(pid).map_err(io::Error::other)?);
    let was_stopped = stands_still(pid)?;
    for _ in 0..TRIES {
        if was_stopped {
            return match is_outside(pid, vdso)? {
                true => work(),
                false => Err(other(format!("process {pid} was stopped while reading the clock"))),
            };
        }
        kill(process, Signal::SIGSTOP)?;
        let done = wait_until_still(pid).and_then(|()| match is_outside(pid, vdso)? {
            true => work().map(|()| true),
            false => Ok(false),
        });
        // Whatever came of it, it goes on.
        kill(process, Signal::SIGCONT)?;
        if done? {
            return Ok(());
        }
        sleep(REST);
    }
    Err(other(format!("process {pid} is always reading the clock")))
}

fn wait_until_still(pid: u32) -> io::Result<()> {
    const TRIES: u32 = 2_000;
    const REST: Duration = Duration::from_micros(500);
    for _ in 0..TRIES {
        if stands_still(pid)? {
            return Ok(());
        }
        sleep(REST);
    }
    Err(other(format!("process {pid} does not stop")))
}

/// The threads of a process.
fn threads(pid: u32) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(format!("/proc/{pid}/task"))?.map(|entry| Ok(entry?.path())).collect()
}

/// Whether every thread is stopped. Those that end meanwhile do not run either.
fn stands_still(pid: u32) -> io::Result<bool> {
    let state = |thread: &PathBuf| {
        let stat = fs::read_to_string(thread.join("stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    };
    let stopped = |state| matches!(state, 'T' | 't' | 'Z' | 'X');
    Ok(threads(pid)?.iter().filter_map(state).all(stopped))
}

/// Whether no stopped thread is in the middle of the vDSO.
fn is_outside(pid: u32, vdso: &Range<u64>) -> io::Result<bool> {
    for thread in threads(pid)? {
        // The last word is the program counter.
        let Ok(text) = fs::read_to_string(thread.join("syscall")) else {
            continue;
        };
        let counter = text.split_whitespace().last().and_then(|word| word.strip_prefix("0x"));
        let counter = counter.and_then(|word| u64::from_str_radix(word, 16).ok());
        if counter.is_none_or(|counter| vdso.contains(&counter)) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_found_in_the_list_of_a_process_memory() {
        let maps = "7f1-7f2 r-xp 0 00:00 0  /lib/x\n\
                    7ffc1000-7ffc3000 r-xp 00000000 00:00 0          [vdso]\n";
        assert_eq!(vdso(maps), Some(0x7ffc_1000..0x7ffc_3000));
        assert_eq!(vdso("nothing"), None);
    }

    #[test]
    fn rubbish_has_no_symbols() {
        for image in [&[][..], &[0; 64], &[0xff; 4096]] {
            assert!(symbols(image).is_none());
        }
    }

    #[test]
    fn there_must_be_room() {
        let mut image = vec![1; 100];
        image.resize(400, 0);
        assert_eq!(gap(&image, 300), None);
        assert_eq!(gap(&image, 280), Some(112));
        assert_eq!(gap(&image, 401), None);
    }
}
