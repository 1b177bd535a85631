//! What a process remembers of the site for a start while the log is away.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use domain::Site;
use schemas::config::ConfigEntry;

/// A file with the entries of the site, as they stand on the topic.
#[derive(Clone)]
pub(super) struct Memory {
    file: PathBuf,
}

impl Memory {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file }
    }

    /// The site as it was kept last, if it was.
    pub(super) fn site(&self) -> Option<Site> {
        match read(&self.file) {
            Ok(entries) => Some(site_of(entries)).filter(|site| site.revision.is_some()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.say_lost(&error);
                None
            }
        }
    }

    /// Keeps a whole site. The one before stays until this one is on the disk.
    pub(super) async fn keep(&self, entries: &BTreeMap<String, ConfigEntry>) {
        let entries: Vec<_> = entries.values().cloned().collect();
        let file = self.file.clone();
        let written = tokio::task::spawn_blocking(move || write(&file, &entries)).await;
        if let Err(error) = written.unwrap_or_else(|error| Err(io::Error::other(error))) {
            self.say_lost(&error);
        }
    }

    fn say_lost(&self, error: &io::Error) {
        let file = self.file.display();
        tracing::warn!(%file, %error, "the site cannot be remembered; a start while the log is away will wait for it");
    }
}

fn site_of(entries: Vec<ConfigEntry>) -> Site {
    let mut site = Site::default();
    for entry in entries {
        site.apply(&entry.key(), Some(entry));
    }
    site
}

fn read(file: &Path) -> io::Result<Vec<ConfigEntry>> {
    Ok(serde_json::from_slice(&fs::read(file)?)?)
}

fn write(file: &Path, entries: &[ConfigEntry]) -> io::Result<()> {
    let new = file.with_extension("new");
    // It has no secrets in plain text, and is nobody else's affair all the same.
    let mut written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    written.write_all(&serde_json::to_vec(entries)?)?;
    written.sync_all()?;
    fs::rename(new, file)?;
    // Without it a power cut may undo the renaming.
    file.parent()
        .map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::config::{Environment, Revision};

    fn entries(names: &[&str]) -> BTreeMap<String, ConfigEntry> {
        let environments = names.iter().map(|name| {
            ConfigEntry::Environment(Environment {
                name: (*name).to_owned(),
                description: String::new(),
                number: None,
            })
        });
        let revision = ConfigEntry::Revision(Revision { revision: 7 });
        let entries = environments.chain([revision]);
        entries.map(|entry| (entry.key(), entry)).collect()
    }

    #[tokio::test]
    async fn what_was_kept_last_is_what_the_next_process_begins_with() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(folder.path().join("site.json"));
        assert_eq!(memory.site(), None);
        memory.keep(&entries(&["production", "test"])).await;
        memory.keep(&entries(&["production"])).await;
        let site = Memory::new(folder.path().join("site.json")).site().unwrap();
        assert_eq!(site.revision, Some(7));
        assert_eq!(site.environments.keys().collect::<Vec<_>>(), ["production"]);
    }

    #[tokio::test]
    async fn what_cannot_be_read_or_kept_is_as_if_there_were_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("site.json");
        fs::write(&file, "[{").unwrap();
        assert_eq!(Memory::new(file).site(), None);
        let nowhere = Memory::new(folder.path().join("missing").join("site.json"));
        nowhere.keep(&entries(&[])).await;
        assert_eq!(nowhere.site(), None);
    }
}
