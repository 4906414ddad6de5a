//! What an archive consists of, and writing it. The same files always make the same bytes: they are
//! sorted, and times, owners and modes are not those of the machine.

use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder, write::GzEncoder};
use tar::{EntryType, Header};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

/// Files by their paths, which have slashes on every system.
#[derive(Default)]
pub struct Files(BTreeMap<String, File>);

struct File {
    content: Vec<u8>,
    is_program: bool,
}

impl File {
    fn mode(&self) -> u32 {
        if self.is_program { 0o755 } else { 0o644 }
    }
}

impl Files {
    /// Adds a text or what else is in memory.
    pub fn add(&mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) {
        let content = content.into();
        let file = File {
            content,
            is_program: false,
        };
        self.0.insert(path.into(), file);
    }

    /// Adds a file of the disk.
    pub fn add_file(&mut self, path: impl Into<String>, from: &Path) -> Result<()> {
        self.add(path, read(from)?);
        Ok(())
    }

    /// Adds a file that may be run.
    pub fn add_program(&mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) {
        let content = content.into();
        let file = File {
            content,
            is_program: true,
        };
        self.0.insert(path.into(), file);
    }

    /// Adds all files of a directory, `prefix` before their paths.
    pub fn add_directory(&mut self, prefix: &str, from: &Path) -> Result<()> {
        for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
            let path = entry?.path();
            let name = path.file_name().context("an entry has a name")?.to_string_lossy();
            if path.is_dir() {
                self.add_directory(&format!("{prefix}{name}/"), &path)?;
            } else {
                self.add_file(format!("{prefix}{name}"), &path)?;
            }
        }
        Ok(())
    }

    /// As a ZIP archive, each path behind `prefix`.
    pub fn zip(&self, prefix: &str) -> Result<Vec<u8>> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (path, file) in &self.0 {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
                .compression_level(Some(9))
                .last_modified_time(DateTime::default())
                .unix_permissions(file.mode());
            writer.start_file(format!("{prefix}{path}"), options)?;
            writer.write_all(&file.content)?;
        }
        Ok(writer.finish()?.into_inner())
    }

    /// As a gzipped tar archive, each path behind `prefix`.
    pub fn tar_gz(&self, prefix: &str) -> Result<Vec<u8>> {
        let gzip: GzEncoder<Vec<u8>> = GzBuilder::new().write(Vec::new(), Compression::best());
        let mut builder = tar::Builder::new(gzip);
        for (path, file) in &self.0 {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Regular);
            header.set_size(file.content.len() as u64);
            header.set_mode(file.mode());
            // Not 0: some tools take that for "unknown" and warn.
            header.set_mtime(1);
            builder.append_data(&mut header, format!("{prefix}{path}"), &*file.content)?;
        }
        Ok(builder.into_inner()?.finish()?)
    }

    /// Writes them below a directory.
    pub fn unpack(&self, directory: &Path) -> Result<()> {
        for (path, file) in &self.0 {
            let path = directory.join(path);
            let failed = || format!("cannot write {}", path.display());
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).with_context(failed)?;
            }
            fs::write(&path, &file.content).with_context(failed)?;
            set_mode(&path, file.mode()).with_context(failed)?;
        }
        Ok(())
    }

    /// How many bytes they have together.
    pub fn size(&self) -> usize {
        self.0.values().map(|file| file.content.len()).sum()
    }
}

/// Lets a file or directory have exactly this mode; the umask takes bits off what is made.
pub fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// The content of a file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A file gzipped, without name and time.
pub fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_do_not_depend_on_order_or_times() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name: &str| fs::write(directory.path().join(name), name).expect("written");
        let archives = || {
            let mut files = Files::default();
            files.add_directory("", directory.path()).expect("read");
            (
                files.zip("").expect("a ZIP"),
                files.tar_gz("top/").expect("a tar archive"),
            )
        };
        write("b");
        write("a");
        let first = archives();
        for name in ["a", "b"] {
            fs::remove_file(directory.path().join(name)).expect("removed");
        }
        write("a");
        write("b");
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        let file = fs::File::options().write(true).open(directory.path().join("a"));
        file.and_then(|file| file.set_modified(long_ago)).expect("set");
        assert!(archives() == first);
        write("c");
        assert!(archives() != first);
    }

    #[test]
    fn programs_of_archives_can_be_run() {
        let mut files = Files::default();
        files.add("text", "text");
        files.add_program("bin/program", "program");
        let mut modes = Vec::new();
        let unpacked = flate2::read::GzDecoder::new(Cursor::new(files.tar_gz("p/").expect("an archive")));
        for entry in tar::Archive::new(unpacked).entries().expect("entries") {
            let entry = entry.expect("an entry");
            let path = entry.path().expect("a path").display().to_string();
            modes.push((path, entry.header().mode().expect("a mode")));
        }
        assert_eq!(
            modes,
            [("p/bin/program".to_owned(), 0o755), ("p/text".to_owned(), 0o644)]
        );
        let zip = files.zip("p/").expect("an archive");
        let mut zip = zip::ZipArchive::new(Cursor::new(zip)).expect("an archive");
        let mode = |zip: &mut zip::ZipArchive<_>, name: &str| {
            zip.by_name(name)
                .expect("there")
                .unix_mode()
                .map(|mode| mode & 0o777)
        };
        assert_eq!(mode(&mut zip, "p/bin/program"), Some(0o755));
        assert_eq!(mode(&mut zip, "p/text"), Some(0o644));
    }
}
