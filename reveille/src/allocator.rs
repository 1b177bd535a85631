//! The allocator of memory, and how soon the system gets back what is freed.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Alerts are made of many small texts, which this allocator gives out and takes back at half the cost of the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The setting of the allocator that says after how many milliseconds freed memory is given back
/// (<https://microsoft.github.io/mimalloc/environment.html>).
const PURGE_DELAY: &str = "MIMALLOC_PURGE_DELAY";
/// When it is not set, a second: a collector frees the memory of several large bodies within that.
const PURGE_DELAY_MS: &str = "10";

/// Makes this process give freed memory back soon. The allocator reads its settings from the environment before `main`, so the
/// program is begun anew, as the same process, unless the setting is there. When that fails memory is given back later.
pub(crate) fn give_memory_back_soon() {
    if std::env::var_os(PURGE_DELAY).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut arguments = std::env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // It returns only when it fails.
    let _ = command.args(arguments).env(PURGE_DELAY, PURGE_DELAY_MS).exec();
}
