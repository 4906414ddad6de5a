//! Which store a command means, and in which journal it is.

use clap::Args;

use super::CliError;
use crate::{
    config::Config,
    journal::{
        JournalError, path,
        read::{Place, Reader, StoreSummary, journals},
    },
};

/// The address of a store.
#[derive(Debug, Args)]
pub(super) struct StoreArguments {
    /// The page's origin: scheme, host and port
    #[arg(long, value_name = "ORIGIN")]
    pub(super) origin: String,
    /// The database's name
    #[arg(long, value_name = "NAME")]
    pub(super) database: String,
    /// The object store's name
    #[arg(long, value_name = "NAME")]
    pub(super) store: String,
    /// The storage bucket, if it is not the default one
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(super) bucket: String,
}

impl StoreArguments {
    pub(super) fn place(&self) -> Place {
        Place {
            origin: self.origin.clone(),
            bucket: self.bucket.clone(),
            database: self.database.clone(),
            store: self.store.clone(),
        }
    }
}

/// The journals that a command looks at: one profile's, or all.
pub(super) fn readers(config: &Config, profile: Option<&str>) -> Result<Vec<Reader>, CliError> {
    let directory = &config.journal.directory;
    let paths = match profile {
        Some(profile) => vec![path(directory, profile)?],
        None => journals(directory)?,
    };
    let mut readers = Vec::new();
    for path in paths {
        match Reader::open(&path) {
            Ok(reader) => readers.push(reader),
            // A host that is just starting has made the file and nothing in it yet.
            Err(JournalError::Missing(_)) if profile.is_none() => {}
            Err(error) => return Err(error.into()),
        }
    }
    if readers.is_empty() {
        return Err(JournalError::Missing(directory.clone()).into());
    }
    Ok(readers)
}

/// The one journal that has a store.
pub(super) fn find(readers: Vec<Reader>, place: &Place) -> Result<(Reader, StoreSummary), CliError> {
    let mut found: Vec<(Reader, StoreSummary)> = Vec::new();
    for reader in readers {
        let store = reader.stores()?.into_iter().find(|store| store.place == *place);
        found.extend(store.map(|store| (reader, store)));
    }
    if found.len() > 1 {
        let mut profiles = Vec::new();
        for (reader, _) in &found {
            profiles.push(reader.author()?.0);
        }
        return Err(CliError::Profiles(profiles.join(", ")));
    }
    found.pop().ok_or_else(|| {
        let Place {
            origin,
            database,
            store,
            ..
        } = place;
        CliError::Absent(format!(
            "no store {store:?} in database {database:?} of {origin} is known"
        ))
    })
}
