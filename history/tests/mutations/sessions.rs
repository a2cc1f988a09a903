//! Sound histories that are lists of sessions.

use perjury_history::foreign::Format;
use rand::RngExt;
use rand_pcg::Pcg64;

/// A read or a write, of a key, of a value.
type Step = (bool, i64, i64);

/// A few sessions of a few transactions of a few steps, written down.
pub(super) fn seed(random: &mut Pcg64, format: Format) -> Vec<u8> {
    let mut sessions: Vec<Vec<Vec<Step>>> = Vec::new();
    for _ in 0..random.random_range(1..4) {
        let mut transactions = Vec::new();
        for _ in 0..random.random_range(1..4) {
            let steps = random.random_range(0..4);
            transactions.push((0..steps).map(|_| step(random)).collect());
        }
        sessions.push(transactions);
    }
    match format {
        Format::Dbcop => dbcop(random, &sessions),
        Format::Cobra => cobra(&sessions[0]),
        Format::Plume => plume(&sessions),
        _ => awdit(&sessions),
    }
}

fn step(random: &mut Pcg64) -> Step {
    let far = [i64::MIN, i64::MIN + 7, i64::MAX, -1];
    let mut number = || match random.random_range(0..30) {
        0 => far[random.random_range(0..far.len())],
        _ => random.random_range(0..4),
    };
    let (key, value) = (number(), number());
    (random.random(), key, value)
}

fn name(is_write: bool) -> char {
    if is_write { 'w' } else { 'r' }
}

fn awdit(sessions: &[Vec<Vec<Step>>]) -> Vec<u8> {
    let transaction = |steps: &Vec<Step>| -> String {
        steps
            .iter()
            .map(|(is_write, key, value)| format!("{} {key} {value}\n", name(*is_write)))
            .collect()
    };
    let session = |transactions: &Vec<Vec<Step>>| {
        transactions.iter().map(transaction).collect::<Vec<_>>().join("-----\n")
    };
    sessions.iter().map(session).collect::<Vec<_>>().join("=====\n").into_bytes()
}

fn plume(sessions: &[Vec<Vec<Step>>]) -> Vec<u8> {
    let mut text = String::new();
    for (session, transactions) in sessions.iter().enumerate() {
        for (number, steps) in transactions.iter().enumerate() {
            for (is_write, key, value) in steps {
                text += &format!("{}({key},{value},{session},{number})\n", name(*is_write));
            }
        }
    }
    text.into_bytes()
}

fn cobra(transactions: &[Vec<Step>]) -> Vec<u8> {
    let mut log = Vec::new();
    let mut record = |name: u8, numbers: &[i64]| {
        log.push(name);
        numbers.iter().for_each(|number| log.extend(number.to_be_bytes()));
    };
    for (number, steps) in (1..).zip(transactions) {
        record(b'S', &[number]);
        for &(is_write, key, value) in steps {
            match is_write {
                true => record(b'W', &[value, key, 5]),
                false if value == 0 => record(b'R', &[0xbebe_ebee, 0xbebe_ebee, key, 0]),
                false => record(b'R', &[1, value, key, 5]),
            }
        }
        record(b'C', &[number]);
    }
    log
}

fn dbcop(random: &mut Pcg64, sessions: &[Vec<Vec<Step>>]) -> Vec<u8> {
    let mut bytes = vec![0; 5 * 8];
    let number = |bytes: &mut Vec<u8>, number: i64| bytes.extend(number.to_le_bytes());
    for text in ["a store", "2022", "2023"] {
        number(&mut bytes, text.len() as i64);
        bytes.extend(text.bytes());
    }
    number(&mut bytes, sessions.len() as i64);
    for transactions in sessions {
        number(&mut bytes, transactions.len() as i64);
        for steps in transactions {
            number(&mut bytes, steps.len() as i64);
            for &(is_write, key, value) in steps {
                bytes.push(u8::from(is_write));
                number(&mut bytes, key);
                number(&mut bytes, value);
                bytes.push(u8::from(random.random_range(0..8) > 0));
            }
            bytes.push(u8::from(random.random_range(0..4) > 0));
        }
    }
    bytes
}
