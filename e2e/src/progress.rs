//! What a person sees while the programs are built: one line that changes on a terminal, one line now and then elsewhere.
//!
//! Written to standard error itself, not through the print macros, so that a test runner does not swallow it.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Says one line to the person who waits.
pub fn say(line: &str) {
    // Nobody to tell is no reason to fail.
    let _ = writeln!(std::io::stderr(), "ironside-e2e: {line}");
}

/// A running display; dropping it ends it.
pub(crate) struct Progress {
    shared: Arc<Shared>,
    ticker: Option<JoinHandle<()>>,
}

struct Shared {
    began: Instant,
    step: Mutex<&'static str>,
    done: AtomicUsize,
    total: AtomicUsize,
    ended: AtomicBool,
}

impl Progress {
    pub(crate) fn start(step: &'static str) -> Self {
        let shared = Arc::new(Shared {
            began: Instant::now(),
            step: Mutex::new(step),
            done: AtomicUsize::new(0),
            total: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let seen = Arc::clone(&shared);
        let ticker = std::thread::spawn(move || tick(&seen));
        Self {
            shared,
            ticker: Some(ticker),
        }
    }

    /// The next step begins.
    pub(crate) fn enter(&self, step: &'static str) {
        if let Ok(mut current) = self.shared.step.lock() {
            *current = step;
        }
    }

    /// How many packages there are at most (those in Go's own cache are skipped silently).
    pub(crate) fn expect(&self, packages: usize) {
        self.shared.total.store(packages, Ordering::Relaxed);
    }

    /// One more package.
    pub(crate) fn advance(&self) {
        self.shared.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends the display and says how long it took.
    pub(crate) fn finish(mut self) {
        self.end();
        say(&format!(
            "built in {}; kept for later runs",
            spoken(self.shared.began.elapsed())
        ));
    }

    fn end(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(ticker) = self.ticker.take() {
            ticker.thread().unpark();
            let _ = ticker.join();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

fn tick(shared: &Shared) {
    let terminal = std::io::stderr().is_terminal();
    let period = if terminal {
        Duration::from_secs(1)
    } else {
        Duration::from_secs(15)
    };
    while !shared.ended.load(Ordering::Relaxed) {
        let line = shared.line();
        if terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[Kironside-e2e: {line}");
        } else {
            say(&line);
        }
        let due = Instant::now() + period;
        while !shared.ended.load(Ordering::Relaxed) && Instant::now() < due {
            std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
        }
    }
    if terminal {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
}

impl Shared {
    fn line(&self) -> String {
        let step = self.step.lock().map(|step| *step).unwrap_or_default();
        let elapsed = spoken(self.began.elapsed());
        match (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed)) {
            (_, 0) => format!("{step} ({elapsed})"),
            (done, total) => format!("{step}: {done} of {total} packages ({elapsed})"),
        }
    }
}

fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{seconds} s")
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}
