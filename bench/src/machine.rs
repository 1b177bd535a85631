//! Which machine this is, and how it was before the measurement.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use tests::places;

use crate::subject::{alertmanager_binary, reveille_binary};

/// How often a small write is synced to learn how long that takes.
const SYNCS: usize = 200;

/// The facts, as lines of a list.
pub(crate) fn facts(folder: &Path) -> Vec<String> {
    let version = |path: Option<std::path::PathBuf>| path.and_then(|path| first_line(&path, "--version"));
    let mut facts = vec![
        format!("date: {}", jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC")),
        format!("processors: {} × {}", cores(), model()),
        format!("memory: {} GB", memory_gigabytes()),
        format!("kernel: {}", read("/proc/sys/kernel/osrelease")),
        format!("load before: {}", load()),
    ];
    match sync_milliseconds(folder) {
        Ok((half, most)) => facts.push(format!(
            "a synced write of 4 KiB takes {half:.2} ms (p50), {most:.2} ms (p99)"
        )),
        Err(error) => facts.push(format!("how long a synced write takes is not known: {error:#}")),
    }
    let versions = [
        version(reveille_binary().ok()),
        kafka(),
        version(places::program("mariadbd")),
        version(places::program("asd")),
        version(alertmanager_binary()),
    ];
    facts.extend(
        versions
            .into_iter()
            .flatten()
            .map(|version| format!("version: {version}")),
    );
    facts
}

/// The load of the last minute.
pub(crate) fn load() -> String {
    let text = read("/proc/loadavg");
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, std::num::NonZero::get)
}

fn model() -> String {
    let text = read("/proc/cpuinfo");
    let line = text.lines().find(|line| line.starts_with("model name"));
    let model = line
        .and_then(|line| line.split_once(':'))
        .map(|(_, model)| model.trim());
    model.unwrap_or("unknown").to_owned()
}

fn memory_gigabytes() -> u64 {
    let text = read("/proc/meminfo");
    let kibibytes = text
        .split_whitespace()
        .nth(1)
        .and_then(|word| word.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024 / 1_000_000_000
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn first_line(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let said = if output.stdout.is_empty() {
        output.stderr
    } else {
        output.stdout
    };
    let text = String::from_utf8_lossy(&said);
    text.lines().next().map(|line| line.trim().to_owned())
}

/// The folder that the scenarios keep Kafka's jars in has the version in its name.
fn kafka() -> Option<String> {
    let folder = places::target().ok()?.join("kafka");
    let names = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let versions = names.filter_map(|name| name.strip_prefix("jars-").map(str::to_owned));
    versions.max().map(|version| format!("Apache Kafka {version}"))
}

/// Half of the synced writes, and all but one in a hundred, take no longer.
fn sync_milliseconds(folder: &Path) -> Result<(f64, f64)> {
    let path = folder.join("bench-sync");
    let mut file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        took.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    fs::remove_file(&path)?;
    took.sort_by(f64::total_cmp);
    Ok((took[SYNCS / 2], took[SYNCS * 99 / 100]))
}
