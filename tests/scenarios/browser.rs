//! The console in a real browser, on a real `up`.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use tests::process::Process;
use tests::{World, places, skipped};

const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread")]
async fn two_windows_see_the_same_alert() -> Result<()> {
    let _turn = tests::alone().await;
    let chromium = ["chromium", "chromium-browser", "google-chrome", "chrome"]
        .into_iter()
        .find_map(places::program);
    let (Some(npm), Some(_), Some(_)) = (places::program("npm"), places::program("node"), chromium) else {
        skipped("the browser test", "node, npm and chromium are needed");
        return Ok(());
    };
    let console = places::workspace().join("console");
    if !console.join("node_modules").is_dir() {
        skipped(
            "the browser test",
            "console/node_modules is not there: run `npm ci` in console/",
        );
        return Ok(());
    }
    let mut world = World::as_a_newcomer("browser").await?;
    let mut command = Command::new(npm);
    // The other files need the stand-in for the server.
    command
        .args(["run", "test:browser", "--", "tests/browser.test.ts"])
        .current_dir(console);
    command.env("REVEILLE_URL", world.console_url());
    command.env("REVEILLE_CURL_KEY", world.default_key()?);
    let mut process = Process::spawn("npm", command, &places::logs("browser-npm")?.join("npm.log"))?;
    let status = process.wait(PATIENCE).await?;
    ensure!(status.success(), "{}", process.last_words());
    world.all_alive()
}
