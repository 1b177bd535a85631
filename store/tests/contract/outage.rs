//! A database that is away.

use store::{Commit, Store, StoreError};

use crate::backing::Backing;
use crate::counts::through_proxy;
use crate::mariadb;
use crate::proxy::Proxy;
use crate::samples::{history, state};

#[tokio::test]
async fn a_mariadb_that_is_away_is_unavailable_and_works_again_when_it_is_back() {
    let Some(backing) = Backing::mariadb().await else {
        return;
    };
    let (proxy, store) = through_proxy(&backing).await;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let commit = Commit {
        states: vec![(state(1), None)],
        history: vec![history(1, 1)],
        ..Commit::default()
    };

    proxy.cut();
    let failed = store.commit(&claim, &commit).await.unwrap_err();
    assert!(matches!(failed, StoreError::Unavailable(_)), "{failed}");
    let failed = store.alert(state(1).alert.fingerprint).await.unwrap_err();
    assert!(matches!(failed, StoreError::Unavailable(_)), "{failed}");

    proxy.mend();
    store.commit(&claim, &commit).await.unwrap();
    assert!(store.alert(state(1).alert.fingerprint).await.unwrap().is_some());
    backing.remove().await;
}

#[tokio::test]
async fn a_mariadb_that_was_never_there_is_unavailable() {
    if mariadb::server().is_none() {
        return;
    }
    let proxy = Proxy::to("127.0.0.1:9".to_owned()).await;
    proxy.cut();
    let store = Store::open(&format!("mysql://root@127.0.0.1:{}/none", proxy.port))
        .await
        .unwrap();
    assert!(matches!(store.migrate().await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_file_in_a_folder_that_is_not_there_is_unavailable_until_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("folder");
    let store = Store::open(&format!("sqlite://{}/store.sqlite", folder.display()))
        .await
        .unwrap();
    let failed = store.migrate().await.unwrap_err();
    assert!(matches!(failed, StoreError::Unavailable(_)), "{failed}");
    std::fs::create_dir(folder).unwrap();
    store.migrate().await.unwrap();
}
