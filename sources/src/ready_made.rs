//! Ready-made mappings: sources that are nothing but a file in `sources/mappings`, in the form that a site document has for
//! its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use domain::CompiledMapping;
use schemas::config::{MappedAlert, Mapping};
use schemas::{EventStatus, Severity};
use serde::Deserialize;

/// A file, which is named after the mapping.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    each: Option<String>,
    when: Option<String>,
    alert: MappedAlert,
    #[serde(default)]
    states: HashMap<EventStatus, Vec<String>>,
    #[serde(default)]
    severities: HashMap<Severity, Vec<String>>,
}

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../mappings/", $name, "/mapping.yaml")))),+]
    };
}

/// Names and texts.
const FILES: &[(&str, &str)] = files![
    "argocd",
    "azure-activity-log",
    "azure-classic",
    "azure-metric",
    "betterstack",
    "checkly",
    "checkmk",
    "coralogix",
    "elastalert2",
    "elastic-watcher",
    "falco",
    "flux",
    "gitlab",
    "graylog",
    "influxdb",
    "instana",
    "jenkins",
    "kapacitor",
    "librenms",
    "librenms-mail",
    "mdadm",
    "monit",
    "oci",
    "rollbar",
    "sensu",
    "sentry-legacy",
    "smartd",
    "splunk",
    "thousandeyes",
    "updown",
    "uptimerobot",
];

static MAPPINGS: LazyLock<BTreeMap<&'static str, Arc<CompiledMapping>>> = LazyLock::new(|| {
    let compiled = FILES.iter().filter_map(|(name, text)| match compile(name, text) {
        Ok(mapping) => Some((*name, Arc::new(mapping))),
        Err(error) => {
            // A test compiles each of them.
            tracing::error!(name, error, "a ready-made mapping cannot be used");
            None
        }
    });
    compiled.collect()
});

/// The ready-made mapping of this name.
pub fn find(name: &str) -> Option<Arc<CompiledMapping>> {
    MAPPINGS.get(name).cloned()
}

/// The names of all of them.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

fn compile(name: &str, text: &str) -> Result<CompiledMapping, String> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let mapping = Mapping {
        name: name.to_owned(),
        each: file.each,
        when: file.when,
        alert: file.alert,
        states: meanings(file.states),
        severities: meanings(file.severities),
    };
    CompiledMapping::compile(mapping).map_err(|error| error.to_string())
}

/// Words, and what each means.
fn meanings<T: Copy>(words: HashMap<T, Vec<String>>) -> BTreeMap<String, T> {
    let one_by_one = |(meaning, words): (T, Vec<String>)| {
        words.into_iter().map(move |word| (word.to_lowercase(), meaning))
    };
    words.into_iter().flat_map(one_by_one).collect()
}

#[cfg(test)]
mod tests;
