//! The arguments of the audit sink.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::args::duration;
use crate::audit::{Files, Settings};

/// Where audit events are taken, and from whom.
#[derive(Clone, Debug, Args)]
pub struct AuditArgs {
    /// Take the API server's audit events at this address (audit webhook backend: docs/audit.md). Needs --audit-certificate, --audit-key and
    /// --audit-client-ca. Default: none are taken, and what only they show is not seen.
    #[arg(long, value_name = "ADDRESS")]
    pub audit_sink: Option<SocketAddr>,

    /// The sink's own certificate, PEM. This file and the next two are read again when they change.
    #[arg(long, value_name = "FILE")]
    pub audit_certificate: Option<PathBuf>,

    /// Its private key, PEM.
    #[arg(long, value_name = "FILE")]
    pub audit_key: Option<PathBuf>,

    /// The CA whose client certificates are taken, PEM. One of its own: whoever has a certificate of it can tell the operator anything.
    #[arg(long, value_name = "FILE")]
    pub audit_client_ca: Option<PathBuf>,

    /// How long no audit event may come before that is told; 0s: it is not told. Longer than the API server holds events back
    /// (--audit-webhook-batch-max-wait) and tries again.
    #[arg(long, default_value = "5m", value_parser = duration, value_name = "TIME")]
    pub audit_heartbeat: Duration,

    /// How long it is only learned when, from where and with what administrators work, before news of them are told.
    #[arg(long, default_value = "24h", value_parser = duration, value_name = "TIME")]
    pub audit_learning: Duration,
}

impl AuditArgs {
    /// How the sink is set up; `None` where there is to be none.
    pub(super) fn settings(&self) -> Option<Settings> {
        Some(Settings {
            listen: self.audit_sink?,
            files: Files {
                certificate: self.audit_certificate.clone()?,
                key: self.audit_key.clone()?,
                client_ca: self.audit_client_ca.clone()?,
            },
            heartbeat: self.audit_heartbeat,
            learning: self.audit_learning,
        })
    }

    /// Says which of the arguments that belong together is missing.
    pub(super) fn check(&self) -> Result<(), String> {
        /// The operator's own lease makes an event every ten seconds.
        const SHORTEST: Duration = Duration::from_secs(15);
        let files = [
            ("--audit-certificate", &self.audit_certificate),
            ("--audit-key", &self.audit_key),
            ("--audit-client-ca", &self.audit_client_ca),
        ];
        for (name, file) in files {
            match (self.audit_sink, file) {
                (Some(_), None) => {
                    return Err(format!(
                        "--audit-sink needs {name}: audit events are taken by TLS from one client only"
                    ));
                }
                (None, Some(_)) => return Err(format!("{name} is for --audit-sink ADDRESS, which is not given")),
                _ => {}
            }
        }
        if !self.audit_heartbeat.is_zero() && self.audit_heartbeat < SHORTEST {
            return Err(format!(
                "--audit-heartbeat {:?} is shorter than {SHORTEST:?}: the operator's lease, which is what must be heard of, is renewed every ten seconds",
                self.audit_heartbeat
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::Args;
    use super::*;

    const ALL: [&str; 4] = [
        "--audit-sink=0.0.0.0:8443",
        "--audit-certificate=tls.crt",
        "--audit-key=tls.key",
        "--audit-client-ca=ca.crt",
    ];

    fn parse(arguments: &[&str]) -> Result<Option<Settings>, String> {
        let arguments = std::iter::once("ironside-operator").chain(arguments.iter().copied());
        let args = Args::try_parse_from(arguments).map_err(|error| error.to_string())?;
        args.check()?;
        Ok(args.audit.settings())
    }

    #[test]
    fn a_sink_is_set_up_by_all_four_or_none() {
        assert!(parse(&[]).unwrap().is_none());
        let settings = parse(&ALL).unwrap().unwrap();
        assert_eq!(
            (settings.listen.port(), settings.heartbeat),
            (8443, Duration::from_mins(5))
        );
        for missing in 0..ALL.len() {
            let mut some = ALL.to_vec();
            let name = some.remove(missing).split('=').next().unwrap();
            let error = parse(&some).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn a_heartbeat_is_longer_than_events_are_held_back() {
        let with = |heartbeat: &str| parse(&[&ALL[..], &[heartbeat]].concat());
        assert!(with("--audit-heartbeat=0s").is_ok() && with("--audit-heartbeat=15s").is_ok());
        assert!(with("--audit-heartbeat=14s").unwrap_err().contains("--audit-heartbeat"));
    }
}
