//! The command line `ironside`; as `kubectl-ironside` on PATH it is `kubectl ironside`.

use std::process::ExitCode;

/// An allocator that gives memory back: a scan reads much at once and keeps little.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    ironside::cli::main().await
}
