//! `ironside pause`: stops new repairs for a while, outside Git. Verification and rollback of what is under way always finish.

use std::io::Write;

use anyhow::{Context as _, bail};
use clap::Args;
use ironside_crds::names::PAUSE_UNTIL_ANNOTATION;
use jiff::{SignedDuration, Timestamp};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::json;

use super::{ClusterArgs, Outcome, kubeconfig};
use ironside_engine::model::Kind;

/// Field manager of what people do through the command line.
const FIELD_MANAGER: &str = "ironside-cli";

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["all", "all_in_namespace", "target"]))]
#[command(group = clap::ArgGroup::new("how_long").required(true).args(["period", "resume"]))]
pub(super) struct PauseArgs {
    /// One workload, as KIND/NAME (deployment/web).
    target: Option<String>,
    /// Everything in the cluster.
    #[arg(long)]
    all: bool,
    /// Everything in the namespace (see --namespace).
    #[arg(long)]
    all_in_namespace: bool,
    /// How long, such as 2h or 1h30m.
    #[arg(long = "for", value_name = "DURATION", value_parser = period)]
    period: Option<SignedDuration>,
    /// Take the pause back now.
    #[arg(long)]
    resume: bool,
    /// Where the operator is installed; --all is a ConfigMap there.
    #[arg(long, value_name = "NAMESPACE", default_value = "ironside-system")]
    operator_namespace: String,
    #[command(flatten)]
    cluster: ClusterArgs,
}

fn period(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("{text}: write hours, minutes, seconds, such as 2h or 1h30m");
    let duration: ironside_crds::Duration = text.parse().map_err(|_| wrong())?;
    SignedDuration::try_from(std::time::Duration::from(duration)).map_err(|_| wrong())
}

impl PauseArgs {
    pub(super) async fn run(self, out: &mut dyn Write) -> anyhow::Result<Outcome> {
        let connection = kubeconfig::connect(&self.cluster).await?;
        let until = self.period.map(|period| Timestamp::now() + period);
        // Whole seconds: nobody pauses by the nanosecond, and people read this.
        let until = until.map(|until| until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let namespace = connection.namespace.clone();
        let (api, name, what) = if self.all {
            let api = api(
                &connection,
                Some(&self.operator_namespace),
                "",
                "ConfigMap",
                "configmaps",
            );
            (api, "ironside-pause".to_owned(), "everything".to_owned())
        } else if let Some(target) = &self.target {
            let (kind, name) = workload(target)?;
            let api = api(&connection, Some(&namespace), kind.group(), kind.name(), kind.plural());
            (api, name.to_owned(), format!("{kind} {namespace}/{name}"))
        } else {
            (
                api(&connection, None, "", "Namespace", "namespaces"),
                namespace.clone(),
                format!("namespace {namespace}"),
            )
        };
        let patch = json!({"metadata": {"annotations": {PAUSE_UNTIL_ANNOTATION: until}}});
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        match api.patch(&name, &params, &Patch::Merge(&patch)).await {
            Err(kube::Error::Api(status)) if self.all && status.is_not_found() => {
                self.create(&api, &name, until.as_deref()).await?;
            }
            outcome => outcome.map(drop).with_context(|| format!("annotate {what}"))?,
        }
        match until {
            Some(until) => writeln!(
                out,
                "New repairs of {what} are paused until {until}; what is under way still finishes."
            )?,
            None => writeln!(out, "Repairs of {what} may start again.")?,
        }
        Ok(Outcome::Clean)
    }

    async fn create(&self, api: &Api<DynamicObject>, name: &str, until: Option<&str>) -> anyhow::Result<()> {
        // Nothing to take back where nothing was paused.
        let Some(until) = until else { return Ok(()) };
        let mut switch = DynamicObject::new(name, &resource("", "ConfigMap", "configmaps"));
        switch.metadata.annotations = Some([(PAUSE_UNTIL_ANNOTATION.to_owned(), until.to_owned())].into());
        let created = api.create(&kube::api::PostParams::default(), &switch).await;
        created
            .map(drop)
            .with_context(|| format!("create ConfigMap {}/{name}", self.operator_namespace))
    }
}

fn workload(target: &str) -> anyhow::Result<(Kind, &str)> {
    const PAUSABLE: [Kind; 5] = [
        Kind::Deployment,
        Kind::StatefulSet,
        Kind::DaemonSet,
        Kind::CronJob,
        Kind::ReplicaSet,
    ];
    let Some((written, name)) = target.split_once('/') else {
        bail!("{target}: write KIND/NAME, such as deployment/web");
    };
    let kind = PAUSABLE
        .into_iter()
        .find(|kind| kind.name().eq_ignore_ascii_case(written) || kind.plural().eq_ignore_ascii_case(written));
    match kind {
        Some(kind) => Ok((kind, name)),
        None => bail!(
            "{written}: repairs of this kind are never made; write one of {}",
            PAUSABLE.map(Kind::name).join(", ")
        ),
    }
}

fn resource(group: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind), plural)
}

fn api(
    connection: &kubeconfig::Connection,
    namespace: Option<&str>,
    group: &str,
    kind: &str,
    plural: &str,
) -> Api<DynamicObject> {
    let resource = resource(group, kind, plural);
    match namespace {
        Some(namespace) => Api::namespaced_with(connection.client.clone(), namespace, &resource),
        None => Api::all_with(connection.client.clone(), &resource),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_hours_minutes_seconds() {
        assert_eq!(period("1h30m").unwrap(), SignedDuration::from_mins(90));
        assert!(period("tomorrow").unwrap_err().contains("such as 2h"));
    }

    #[test]
    fn only_kinds_that_are_repaired_can_be_paused() {
        assert_eq!(workload("deployments/web").unwrap(), (Kind::Deployment, "web"));
        assert!(workload("pod/web").unwrap_err().to_string().contains("never made"));
        assert!(workload("web").unwrap_err().to_string().contains("KIND/NAME"));
    }
}
