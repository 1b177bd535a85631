//! What processes take of the machine, by /proc.

use std::fs;
use std::time::Instant;

/// Linux has counted time for programs in hundredths of a second on every machine of the last decades.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process that is watched.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    /// What it is called in the tables.
    pub(crate) name: String,
    /// Its id.
    pub(crate) id: u32,
}

/// Memory of a process, in megabytes (10⁶ bytes).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) now: f64,
    /// The most that was ever resident.
    pub(crate) peak: f64,
}

/// Processor time that is counted from a beginning on.
pub(crate) struct Meter {
    start: Instant,
    watched: Vec<(Watched, f64)>,
    own: f64,
    busy: f64,
}

/// What was spent.
#[derive(Debug, Clone)]
pub(crate) struct Spent {
    /// Elapsed seconds.
    pub(crate) seconds: f64,
    /// Processor seconds by process.
    pub(crate) parts: Vec<(String, f64)>,
    /// Processor seconds of this program, which makes the load.
    pub(crate) client: f64,
    /// Processor seconds of everything else on the machine, the kernel's own work included.
    pub(crate) others: f64,
}

impl Meter {
    /// Begins to count.
    pub(crate) fn begin(watched: Vec<Watched>) -> Self {
        Self {
            start: Instant::now(),
            watched: watched
                .into_iter()
                .map(|one| {
                    let seconds = processor_seconds(one.id);
                    (one, seconds)
                })
                .collect(),
            own: processor_seconds(std::process::id()),
            busy: busy_seconds(),
        }
    }

    /// What was spent until now.
    pub(crate) fn spent(&self) -> Spent {
        let parts: Vec<_> = self
            .watched
            .iter()
            .map(|(one, before)| (one.name.clone(), (processor_seconds(one.id) - before).max(0.0)))
            .collect();
        let client = processor_seconds(std::process::id()) - self.own;
        let known: f64 = parts.iter().map(|(_, seconds)| seconds).sum::<f64>() + client;
        Spent {
            seconds: self.start.elapsed().as_secs_f64(),
            parts,
            client,
            others: (busy_seconds() - self.busy - known).max(0.0),
        }
    }
}

/// Memory of a process; nothing when it is gone.
pub(crate) fn memory(id: u32) -> Memory {
    let text = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let megabytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line.and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse::<f64>().ok());
        kibibytes.unwrap_or(0.0) * 1024.0 / 1e6
    };
    Memory {
        now: megabytes("VmRSS:"),
        peak: megabytes("VmHWM:"),
    }
}

/// The children of this process by the name of their program.
pub(crate) fn children() -> Vec<Watched> {
    let own = std::process::id();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (name, rest) = name_and_rest(&text)?;
        let parent: u32 = rest.split(' ').nth(1)?.parse().ok()?;
        (parent == own).then(|| Watched {
            name: name.to_owned(),
            id,
        })
    })
    .collect()
}

fn processor_seconds(id: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let Some((_, rest)) = name_and_rest(&text) else {
        return 0.0;
    };
    // After the name come the state, the parent and so on; user and system time are the 12th and 13th.
    let ticks = rest.split(' ').skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

/// The name stands in brackets and may hold anything, also brackets.
fn name_and_rest(stat: &str) -> Option<(&str, &str)> {
    let (_, rest) = stat.split_once('(')?;
    let (name, rest) = rest.rsplit_once(')')?;
    Some((name, rest.trim()))
}

/// All processors together, without being idle or waiting for a disk.
fn busy_seconds() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = first
        .split_whitespace()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    let of = |index: usize| ticks.get(index).copied().unwrap_or(0.0);
    // user, nice, system, (idle, waiting), interrupts, soft interrupts, stolen
    (of(0) + of(1) + of(2) + of(5) + of(6) + of(7)) / TICKS_PER_SECOND
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_brackets_and_blanks() {
        assert_eq!(name_and_rest("7 (a) (b c) S 1 7"), Some(("a) (b c", "S 1 7")));
    }

    #[test]
    fn this_process_takes_memory_and_time() {
        let id = std::process::id();
        let start = Instant::now();
        let mut work = 1_u64;
        while processor_seconds(id) == 0.0 && start.elapsed().as_secs() < 10 {
            for _ in 0..1_000_000 {
                work = std::hint::black_box(work.wrapping_mul(3));
            }
        }
        assert!(processor_seconds(id) > 0.0 && busy_seconds() > 0.0);
        assert!(memory(id).peak >= memory(id).now && memory(id).now > 0.5);
    }
}
