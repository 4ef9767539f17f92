//! Where manifests come from: files, folders, standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::manifest::Problem;

/// Largest file that is read, in bytes. The API server takes no object above 3 MiB; a file this big is not a manifest.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// Room that is kept from one file to the next, in bytes: hardly any is larger.
const MOST_ROOM: usize = 64 * 1024;

/// File name endings that are read inside a folder. A file that is named on the command line is read whatever its name.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Something to read.
#[derive(Debug)]
pub(super) enum Input {
    /// A file that was named.
    File(PathBuf),
    /// A file that was found in a folder that was named.
    Found(PathBuf),
    /// What standard input said.
    Stdin(Vec<u8>),
    /// What cannot be read.
    Problem(Problem),
}

impl Input {
    /// Everything below some paths, in order; `-` is standard input, which is read at once.
    pub(super) fn below(paths: &[PathBuf], stdin: &mut dyn Read) -> Vec<Self> {
        let mut found = Vec::new();
        for path in paths {
            if path == Path::new("-") {
                let mut bytes = Vec::new();
                found.push(match read_whole(stdin, &mut bytes) {
                    Ok(()) => Self::Stdin(bytes),
                    Err(message) => Self::Problem(Problem {
                        at: "-".to_owned(),
                        message,
                    }),
                });
                continue;
            }
            match std::fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => Self::folder(path, &mut found),
                Ok(_) => found.push(Self::File(path.clone())),
                Err(error) => found.push(Self::unreadable(path, &error)),
            }
        }
        found
    }

    fn folder(folder: &Path, found: &mut Vec<Self>) {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return found.push(Self::unreadable(folder, &error)),
        };
        let mut named = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => named.push((entry.file_name(), entry.file_type())),
                Err(error) => found.push(Self::unreadable(folder, &error)),
            }
        }
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, kind) in named {
            if name.as_encoded_bytes().starts_with(b".") {
                continue; // hidden
            }
            let path = folder.join(name);
            let wanted = path
                .extension()
                .is_some_and(|e| ENDINGS.iter().any(|known| e.eq_ignore_ascii_case(known)));
            // A link to a folder could lead in circles; a link to a file is read.
            let is_link = kind.as_ref().is_ok_and(std::fs::FileType::is_symlink);
            // Most entries are no links, and what they are was said with their names.
            let leads_to = match kind {
                Ok(kind) if !kind.is_symlink() => Ok(kind),
                _ => std::fs::metadata(&path).map(|metadata| metadata.file_type()),
            };
            match leads_to {
                Ok(kind) if kind.is_dir() && !is_link => Self::folder(&path, found),
                Ok(kind) if kind.is_file() && wanted => found.push(Self::Found(path)),
                // A link that leads nowhere: somebody believes that there is a manifest.
                Err(error) if wanted => found.push(Self::unreadable(&path, &error)),
                _ => {}
            }
        }
    }

    fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self::Problem(Problem {
            at: path.display().to_string(),
            message: describe(error),
        })
    }
}

/// Puts everything that a file says in place of what is in `bytes`, whose room one file after the other can use.
pub(super) fn read_file(path: &Path, bytes: &mut Vec<u8>) -> Result<(), Problem> {
    let read = File::open(path).map_err(|error| describe(&error));
    let read = read.and_then(|mut file| read_whole(&mut file, bytes));
    read.map_err(|message| Problem {
        at: path.display().to_string(),
        message,
    })
}

/// Puts everything that is said in place of what is in `bytes`, unless it is too much.
fn read_whole(from: &mut dyn Read, bytes: &mut Vec<u8>) -> Result<(), String> {
    bytes.clear();
    bytes.shrink_to(MOST_ROOM);
    let limited = from.take(LARGEST_FILE + 1).read_to_end(bytes);
    limited.map_err(|error| describe(&error))?;
    if bytes.len() as u64 > LARGEST_FILE {
        let limit = LARGEST_FILE / 1024 / 1024;
        return Err(format!("more than {limit} MiB: give it in parts"));
    }
    Ok(())
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
