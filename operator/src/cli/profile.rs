//! What manifests are judged by, for every verb that judges.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ironside_crds::ProfileName;

use super::judge::Scanned;
use super::manifest::Manifests;

/// The flags.
#[derive(Debug, Args)]
pub(super) struct JudgeArgs {
    /// Policies and exceptions to judge by: manifests of Ironside's own kinds. They may also stand among the files that are judged.
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// What to ask for when no policy is given.
    #[arg(long, value_enum, default_value_t)]
    profile: ProfileArg,
}

impl JudgeArgs {
    /// The policies and exceptions that were named; what is judged by them is added.
    pub(super) fn policies(&self) -> Scanned {
        let mut scanned = Scanned::default();
        scanned.add(Manifests::read(&self.policy, &mut std::io::empty()));
        scanned
    }

    /// What is asked for without a policy.
    pub(super) fn profile(&self) -> ProfileName {
        self.profile.into()
    }
}

/// Profile as it is written on the command line.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ProfileArg {
    /// The NSA/CISA Kubernetes Hardening Guide.
    #[default]
    #[value(alias = "NsaCisa")]
    NsaCisa,
    /// Pod Security Standards, baseline.
    #[value(alias = "PssBaseline")]
    PssBaseline,
    /// Pod Security Standards, restricted.
    #[value(alias = "PssRestricted")]
    PssRestricted,
    /// CIS Kubernetes Benchmark, the part about workloads.
    #[value(alias = "Cis")]
    Cis,
}

impl From<ProfileArg> for ProfileName {
    fn from(profile: ProfileArg) -> Self {
        match profile {
            ProfileArg::NsaCisa => Self::NsaCisa,
            ProfileArg::PssBaseline => Self::PssBaseline,
            ProfileArg::PssRestricted => Self::PssRestricted,
            ProfileArg::Cis => Self::Cis,
        }
    }
}
