//! The command line of `ironside-operator`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use super::audit_args::AuditArgs;

/// Keeps a Kubernetes cluster hardened: finds what departs from the policies, repairs what can be repaired safely, proves it, undoes what breaks.
///
/// Reaches the API server through KUBECONFIG, or the service account of its pod.
#[derive(Clone, Debug, Parser)]
#[command(name = "ironside-operator", version)]
pub struct Args {
    /// The operator's own namespace: the Lease ironside-operator and the ConfigMap ironside-pause are there.
    #[arg(long, env = "POD_NAMESPACE", default_value = "ironside-system")]
    pub namespace: String,

    /// Look at these namespaces only, separated by commas. Cluster policies are ignored then. Default: the whole cluster.
    #[arg(long, value_delimiter = ',', value_name = "NAMESPACES")]
    pub watch_namespaces: Vec<String>,

    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// How long leadership lasts without renewal; another replica takes over after it.
    #[arg(long, default_value = "15s", value_parser = duration, value_name = "TIME")]
    pub lease_duration: Duration,

    /// How often leadership is renewed; less than --lease-duration.
    #[arg(long, default_value = "10s", value_parser = duration, value_name = "TIME")]
    pub lease_renew: Duration,

    /// Ask kubelets what containers write over their images and what they run with, in the name of this ServiceAccount of the own namespace, which may get
    /// nodes/stats and nodes/configz and nothing else. Default: nobody is asked.
    #[arg(long, value_name = "NAME")]
    pub kubelet_account: Option<String>,

    /// Ask the API server which flags it runs with (/flagz), what it has counted (/metrics), and whether it serves somebody without credentials. Needs the
    /// role of config/evidence. Default: it is not asked, and what nothing else shows of it is unknown.
    #[arg(long)]
    pub ask_api_server: bool,

    /// What has to do with audit events.
    #[command(flatten)]
    pub audit: AuditArgs,

    /// Form of the log lines on standard error.
    #[arg(long, default_value = "json", value_name = "FORMAT")]
    pub log_format: LogFormat,

    /// Name of this replica, unique among all. Default: made up from host name and process id.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub identity: Option<String>,
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl Args {
    /// Says what no parser of a single argument can see.
    pub fn check(&self) -> Result<(), String> {
        if self.lease_renew >= self.lease_duration {
            return Err(format!(
                "--lease-renew {:?} must be shorter than --lease-duration {:?}",
                self.lease_renew, self.lease_duration
            ));
        }
        if self.lease_duration < Duration::from_secs(1) {
            return Err("--lease-duration must be at least 1s: a Lease counts in whole seconds".to_owned());
        }
        self.audit.check()
    }

    /// The identity given, or one that no other process has.
    pub fn identity(&self) -> String {
        self.identity.clone().unwrap_or_else(|| {
            let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
            let host = host.trim();
            let host = if host.is_empty() { "ironside" } else { host };
            format!("{host}-{}", std::process::id())
        })
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "write a time such as 15s or 1m30s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Args, String> {
        let arguments = std::iter::once("ironside-operator").chain(arguments.iter().copied());
        let args = Args::try_parse_from(arguments).map_err(|error| error.to_string())?;
        args.check()?;
        Ok(args)
    }

    #[test]
    fn defaults_are_those_of_a_cluster() {
        let args = parse(&["--namespace", "ironside-system"]).unwrap();
        assert_eq!(args.lease_duration, Duration::from_secs(15));
        assert_eq!(args.listen.port(), 8080);
        assert!(args.watch_namespaces.is_empty());
    }

    #[test]
    fn namespaces_are_separated_by_commas() {
        assert_eq!(
            parse(&["--watch-namespaces", "a,b"]).unwrap().watch_namespaces,
            ["a", "b"]
        );
    }

    #[test]
    fn a_lease_must_outlast_its_renewal() {
        let error = parse(&["--lease-duration", "10s"]).unwrap_err();
        assert!(error.contains("--lease-renew"), "{error}");
        assert!(parse(&["--lease-duration", "soon"]).unwrap_err().contains("15s"));
    }
}
