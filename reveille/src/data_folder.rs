//! The data folder of `up`: who may read it, its keys, its database.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use chassis::secrets::SiteKey;
use chassis::settings::Settings;
use rand::RngExt;
use schemas::config::ConfigEntry;
use store::{Store, StoredSite};

/// A database up to this size is checked when the process starts, which takes about a second for each gigabyte.
const CHECKED_BYTES_MAX: u64 = 512 << 20;

/// The data folder.
pub(crate) struct DataFolder {
    path: PathBuf,
}

/// Secrets that only the site's key opens.
#[derive(Debug, PartialEq, Eq)]
struct SealedSecrets {
    /// What they belong to, for people.
    of: String,
    sealed: Vec<String>,
}

impl DataFolder {
    /// Opens the folder, and makes it when it is not there. It and its files are its owner's alone, also when they were made
    /// with other rights.
    pub(crate) fn open(path: PathBuf) -> anyhow::Result<Self> {
        let context = || format!("the data folder {} cannot be used", path.display());
        fs::create_dir_all(&path).with_context(context)?;
        keep_to_owner(&path, 0o700).with_context(context)?;
        for entry in fs::read_dir(&path).with_context(context)? {
            let entry = entry.with_context(context)?;
            if entry.file_type().with_context(context)?.is_file() {
                keep_to_owner(&entry.path(), 0o600).with_context(context)?;
            }
        }
        Ok(Self { path })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the log.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The database, with its tables up to date.
    pub(crate) async fn database(&self) -> anyhow::Result<Store> {
        let file = self.path.join("state.sqlite");
        let opened = async {
            let store = Store::open(&format!("sqlite://{}", file.display())).await?;
            if file.metadata().is_ok_and(|file| file.len() <= CHECKED_BYTES_MAX) {
                store.check().await?;
            }
            store.migrate().await?;
            Ok::<_, store::StoreError>(store)
        };
        opened.await.with_context(|| {
            let file = file.display();
            format!(
                "the database {file} cannot be used; if it is damaged, put the data folder back from a backup, or move {file} and \
                 the files that begin with its name aside and save what is good of it with sqlite3's .recover (see \
                 docs/operations.md)"
            )
        })
    }

    /// The key for secrets: the one that is set, else one that is kept here. A new one is made when no secret needs the one
    /// that is lost, or when `may_be_new`.
    pub(crate) fn site_key(
        &self,
        settings: &Settings,
        site: &StoredSite,
        may_be_new: bool,
    ) -> anyhow::Result<SiteKey> {
        let secrets = sealed_secrets(site);
        let path = self.path.join("secret.key");
        let key = if settings.secret_key.is_some() || settings.secret_key_file.is_some() {
            settings.site_key()?
        } else {
            if !path.exists() && !secrets.is_empty() && !may_be_new {
                bail!(
                    "{} is missing, and only it opens {}: put it back from the backup, or start once with --new-secret-key and \
                     enter these secrets again with a site document",
                    path.display(),
                    names(&secrets)
                );
            }
            let text = kept(&path, || SiteKey::from_bytes(rand::rng().random()).to_text())?;
            SiteKey::parse(&text).with_context(|| {
                format!(
                    "{} is damaged: put it back from the backup, or remove it and start once with --new-secret-key",
                    path.display()
                )
            })?
        };
        let opens = |secrets: &SealedSecrets| secrets.sealed.iter().all(|sealed| key.open(sealed).is_ok());
        let closed: Vec<_> = secrets.into_iter().filter(|secrets| !opens(secrets)).collect();
        if !closed.is_empty() {
            tracing::error!(
                secrets = names(&closed),
                "these secrets cannot be opened with this key: enter them again with a site document"
            );
        }
        Ok(key)
    }

    /// The key of the default integration; made for a new site only, since an older one knows another key. None when it is
    /// lost.
    pub(crate) fn integration_key(&self, is_new: bool) -> anyhow::Result<Option<String>> {
        let path = self.path.join("integration-key");
        if !is_new && !path.exists() {
            return Ok(None);
        }
        let key = kept(&path, || format!("{:032x}", rand::rng().random::<u128>()))?;
        if key.is_empty() {
            bail!(
                "{} is empty: remove it, or put it back from the backup",
                path.display()
            );
        }
        Ok(Some(key))
    }
}

fn keep_to_owner(path: &Path, mode: u32) -> std::io::Result<()> {
    let now = fs::metadata(path)?.permissions().mode() & 0o777;
    if now & !mode == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(now & mode))
}

fn sealed_secrets(site: &StoredSite) -> Vec<SealedSecrets> {
    let entries = site.entries.values();
    let entries = entries.filter_map(|document| serde_json::from_str(document).ok());
    let secrets = entries.filter_map(|entry| match entry {
        ConfigEntry::Bot(bot) => {
            let fields: Vec<_> = bot.sealed_secrets.keys().map(String::as_str).collect();
            Some(SealedSecrets {
                of: format!("bot {} ({})", bot.name, fields.join(", ")),
                sealed: bot.sealed_secrets.into_values().collect(),
            })
        }
        ConfigEntry::Integration(integration) => Some(SealedSecrets {
            of: format!("integration {} (signing secrets)", integration.name),
            sealed: integration.sealed_signing_secrets,
        }),
        _ => None,
    });
    secrets.filter(|secrets| !secrets.sealed.is_empty()).collect()
}

fn names(secrets: &[SealedSecrets]) -> String {
    let names: Vec<_> = secrets.iter().map(|secrets| secrets.of.as_str()).collect();
    format!("the secrets of {}", names.join(", "))
}

/// The text of a file that only its owner may read; made when it is not there, whole or not at all.
fn kept(path: &Path, make: impl FnOnce() -> String) -> anyhow::Result<String> {
    let context = || format!("{} cannot be used", path.display());
    if path.exists() {
        return Ok(fs::read_to_string(path).with_context(context)?.trim().to_owned());
    }
    let text = make();
    let unfinished = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .with_context(context)?;
    writeln!(file, "{text}").with_context(context)?;
    file.sync_all().with_context(context)?;
    fs::rename(&unfinished, path).with_context(context)?;
    if let Some(folder) = path.parent() {
        // Without it a power cut may undo the renaming.
        fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .with_context(context)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn site(key: &SiteKey) -> StoredSite {
        let bot = json!({
            "kind": "bot", "name": "ops", "channel": "slack", "settings": {},
            "sealed_secrets": { "token": key.seal("xoxb-1").unwrap() },
        });
        let bot = serde_json::to_string(&serde_json::from_value::<ConfigEntry>(bot).unwrap()).unwrap();
        StoredSite {
            revision: 1,
            published: true,
            entries: BTreeMap::from([("bot/ops".to_owned(), bot)]),
        }
    }

    fn key_file(folder: &DataFolder) -> PathBuf {
        folder.path().join("secret.key")
    }

    #[test]
    fn s8_a_lost_secret_key_is_not_replaced_while_secrets_need_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(folder.path().join("data")).unwrap();
        let settings = Settings::default();
        let first = folder.site_key(&settings, &StoredSite::default(), false).unwrap();
        let site = site(&first);
        assert_eq!(
            folder.site_key(&settings, &site, false).unwrap().to_text(),
            first.to_text()
        );
        fs::remove_file(key_file(&folder)).unwrap();
        let error = folder.site_key(&settings, &site, false).unwrap_err().to_string();
        for part in [
            "secret.key is missing",
            "bot ops (token)",
            "backup",
            "--new-secret-key",
        ] {
            assert!(error.contains(part), "{error}");
        }
        assert!(!key_file(&folder).exists(), "none is made");
        let new = folder.site_key(&settings, &site, true).unwrap();
        assert_ne!(new.to_text(), first.to_text());
        folder
            .site_key(&settings, &site, false)
            .expect("it goes on with the new key");
        fs::write(key_file(&folder), "short").unwrap();
        let error = format!("{:#}", folder.site_key(&settings, &site, true).unwrap_err());
        assert!(error.contains("is damaged: put it back"), "{error}");
    }

    #[test]
    fn s8_a_lost_integration_key_is_made_for_a_new_site_only() {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(folder.path().to_owned()).unwrap();
        assert_eq!(folder.integration_key(false).unwrap(), None);
        let made = folder.integration_key(true).unwrap();
        assert_eq!(folder.integration_key(false).unwrap(), made);
    }

    #[tokio::test]
    async fn s8_a_damaged_database_is_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(folder.path().to_owned()).unwrap();
        let file = folder.path().join("state.sqlite");
        fs::write(&file, "no database at all".repeat(1000)).unwrap();
        let error = format!("{:#}", folder.database().await.map(drop).unwrap_err());
        for part in ["state.sqlite", "backup", ".recover"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn s9_the_folder_and_its_files_are_their_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let file = folder.path().join("state.sqlite");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o664)).unwrap();
        DataFolder::open(folder.path().to_owned()).unwrap();
        assert_eq!((mode(folder.path()), mode(&file)), (0o700, 0o600));
    }
}
