//! Waiting for a condition, up to a limit.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

/// How often a foreign process is asked.
const EVERY: Duration = Duration::from_millis(50);

/// Asks until there is an answer. An error counts as "not yet"; the last one is told when time is up.
pub async fn until<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    let mut last = None;
    while start.elapsed() < within {
        match tokio::time::timeout(within.saturating_sub(start.elapsed()), look()).await {
            Ok(Ok(Some(answer))) => return Ok(answer),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => last = Some(error),
            Err(_) => break,
        }
        tokio::time::sleep(EVERY).await;
    }
    let late = anyhow!("{what}: not within {within:?}");
    match last {
        Some(error) => Err(error).context(late),
        None => Err(late),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_error_is_told_when_time_is_up() {
        let error = until::<()>("the broker", Duration::from_millis(1), async || {
            std::thread::sleep(Duration::from_millis(1));
            Err(anyhow!("connection refused"))
        })
        .await
        .unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "the broker: not within 1ms: connection refused"
        );
    }
}
