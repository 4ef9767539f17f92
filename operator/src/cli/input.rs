//! Where manifests come from: files, folders, standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::manifest::Problem;

/// Largest file that is read, in bytes. The API server takes no object above 3 MiB; a file this big is not a manifest.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// File name endings that are read inside a folder. A file that is named on the command line is read whatever its name.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Something to read.
#[derive(Debug)]
pub(super) enum Input {
    /// A file, as it was named or found.
    File(PathBuf),
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
                found.push(match read_whole("-", stdin, 0) {
                    Ok(bytes) => Self::Stdin(bytes),
                    Err(problem) => Self::Problem(problem),
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
        let mut paths = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => paths.push((entry.path(), entry.file_type())),
                Err(error) => found.push(Self::unreadable(folder, &error)),
            }
        }
        paths.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (path, kind) in paths {
            let hidden = path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('.'));
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
                _ if hidden => {}
                Ok(kind) if kind.is_dir() && !is_link => Self::folder(&path, found),
                Ok(kind) if kind.is_file() && wanted => found.push(Self::File(path)),
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

/// Everything that a file says.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, Problem> {
    let at = path.display().to_string();
    match File::open(path) {
        Ok(mut file) => {
            // A file that is read into as much room as it takes is read in one go.
            let length = file.metadata().map_or(0, |metadata| metadata.len());
            read_whole(&at, &mut file, length)
        }
        Err(error) => Err(Problem {
            message: describe(&error),
            at,
        }),
    }
}

/// Everything that a file says, unless it says too much; `length` is how many bytes it is thought to have.
fn read_whole(at: &str, from: &mut dyn Read, length: u64) -> Result<Vec<u8>, Problem> {
    let problem = |message| Problem {
        at: at.to_owned(),
        message,
    };
    let room = usize::try_from(length.min(LARGEST_FILE)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(room + 1);
    let limited = from.take(LARGEST_FILE + 1).read_to_end(&mut bytes);
    limited.map_err(|error| problem(describe(&error)))?;
    if bytes.len() as u64 > LARGEST_FILE {
        let limit = LARGEST_FILE / 1024 / 1024;
        return Err(problem(format!("more than {limit} MiB: give it in parts")));
    }
    Ok(bytes)
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
