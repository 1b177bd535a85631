//! The console's files are built into the binary, so a new build of them makes a new binary.

fn main() {
    println!("cargo::rerun-if-changed=../console/dist");
}
