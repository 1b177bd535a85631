//! What processes tell on `/metrics`, added up.

use std::collections::{BTreeMap, BTreeSet};

/// Series by name and labels as they are written; the same series of several processes are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exposition(BTreeMap<String, f64>);

/// A histogram: how many values were not above each bound.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Buckets {
    bounds: Vec<(f64, f64)>,
    sum: f64,
}

impl Exposition {
    /// Adds what one process tells.
    pub(crate) fn absorb(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some((series, value)) = line.rsplit_once(' ')
                && let Ok(value) = value.parse::<f64>()
            {
                *self.0.entry(series.to_owned()).or_default() += value;
            }
        }
    }

    /// What has come since another look.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let grown = self.0.iter().map(|(series, value)| {
            let before = before.0.get(series).copied().unwrap_or(0.0);
            (series.clone(), value - before)
        });
        Self(grown.collect())
    }

    /// The sum of a metric over all series with these labels, such as `stage="daemon"`.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        self.series(name, labels).map(|(_, value)| value).sum()
    }

    /// The values that a label of a metric has.
    pub(crate) fn label_values(&self, name: &str, label: &str) -> BTreeSet<String> {
        self.series(name, &[])
            .filter_map(|(series, _)| label_value(series, label))
            .map(str::to_owned)
            .collect()
    }

    /// A histogram over all series with these labels.
    pub(crate) fn histogram(&self, name: &str, labels: &[&str]) -> Buckets {
        let mut bounds: Vec<(f64, f64)> = Vec::new();
        for (series, count) in self.series(&format!("{name}_bucket"), labels) {
            let Some(bound) = label_value(series, "le").and_then(|bound| bound.parse::<f64>().ok()) else {
                continue;
            };
            match bounds.iter_mut().find(|(known, _)| *known == bound) {
                Some((_, total)) => *total += count,
                None => bounds.push((bound, count)),
            }
        }
        bounds.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        Buckets {
            bounds,
            sum: self.sum(&format!("{name}_sum"), labels),
        }
    }

    fn series<'a>(&'a self, name: &str, labels: &[&str]) -> impl Iterator<Item = (&'a str, f64)> {
        let all = self.0.iter().filter(move |(series, _)| {
            let rest = series.strip_prefix(name);
            rest.is_some_and(|rest| {
                (rest.is_empty() || rest.starts_with('{')) && labels.iter().all(|label| rest.contains(label))
            })
        });
        all.map(|(series, value)| (series.as_str(), *value))
    }
}

fn label_value<'a>(series: &'a str, label: &str) -> Option<&'a str> {
    let (_, rest) = series.split_once(&format!("{label}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

impl Buckets {
    /// How many values there are.
    pub(crate) fn count(&self) -> f64 {
        self.bounds.last().map_or(0.0, |(_, count)| *count)
    }

    /// The mean.
    pub(crate) fn mean(&self) -> f64 {
        self.sum / self.count().max(1.0)
    }

    /// The bound which this share of the values does not exceed.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let wanted = self.count() * share;
        let found = self.bounds.iter().find(|(_, count)| *count >= wanted);
        found.map_or(0.0, |(bound, _)| *bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE hop_seconds histogram
hop_seconds_bucket{hop=\"a\",le=\"0.1\"} 5
hop_seconds_bucket{hop=\"a\",le=\"1\"} 9
hop_seconds_bucket{hop=\"a\",le=\"+Inf\"} 10
hop_seconds_sum{hop=\"a\"} 4
hop_seconds_count{hop=\"a\"} 10
done{stage=\"x\",topic=\"1\"} 2
done{stage=\"x\",topic=\"2\"} 3
done_more{stage=\"x\"} 9
";

    #[test]
    fn processes_add_up_and_what_was_before_is_taken_off() {
        let mut before = Exposition::default();
        before.absorb(TEXT);
        let mut after = before.clone();
        after.absorb(TEXT);
        assert_eq!(after.sum("done", &["stage=\"x\""]), 10.0);
        assert_eq!(after.since(&before).sum("done", &["topic=\"1\""]), 2.0);
        assert_eq!(
            after.label_values("hop_seconds_count", "hop"),
            BTreeSet::from(["a".to_owned()])
        );
    }

    #[test]
    fn quantiles_are_bounds_of_buckets() {
        let mut one = Exposition::default();
        one.absorb(TEXT);
        let buckets = one.histogram("hop_seconds", &["hop=\"a\""]);
        assert_eq!((buckets.count(), buckets.mean()), (10.0, 0.4));
        assert_eq!(
            [0.5, 0.9, 0.99].map(|share| buckets.quantile(share)),
            [0.1, 1.0, f64::INFINITY]
        );
    }
}
