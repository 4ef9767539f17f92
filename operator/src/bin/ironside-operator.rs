//! The operator's process. Everything is in the library.

use std::process::ExitCode;

use clap::Parser as _;
use ironside::process::{Args, log, run};

/// Returns memory to the system after a burst of lists, which is what people see of a process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One thread judges and takes changes in, the other serves and writes.
#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let args = Args::parse();
    log::start(args.log_format);
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the operator stops");
            ExitCode::FAILURE
        }
    }
}
