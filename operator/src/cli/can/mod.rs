//! `ironside can`: who may do what, from the roles and bindings of files or of a cluster, with the chain that grants it.

mod answer;
mod question;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use ironside_engine::model::Kind;

use self::answer::Answer;
use self::question::Question;
use super::judge::Scanned;
use super::manifest::Manifests;
use super::style::Style;
use super::{ClusterArgs, Format, Outcome, kubeconfig, listing};

/// What the graph of rights is made of.
const KINDS: [Kind; 4] = [
    Kind::Role,
    Kind::ClusterRole,
    Kind::RoleBinding,
    Kind::ClusterRoleBinding,
];

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ironside can serviceaccount/shop/ci create deployments -n shop -f manifests/
  ironside can alice get secrets --group developers --cluster
  ironside can group/system:authenticated get /metrics --cluster

Only RBAC is asked: a webhook or the node authorizer may allow more.
Exit codes: 0 yes (or every review answered), 1 no, 2 something could not be read or done.")]
pub(super) struct CanArgs {
    /// Who: a user name, `serviceaccount/NAMESPACE/NAME`, or `group/NAME`.
    #[arg(required_unless_present = "reviews")]
    subject: Option<String>,
    /// `get`, `list`, `create`, `escalate`, …
    #[arg(required_unless_present = "reviews")]
    verb: Option<String>,
    /// `pods`, `pods/exec`, `deployments.apps`, or a path such as `/metrics`.
    #[arg(required_unless_present = "reviews")]
    resource: Option<String>,
    /// Name of the object [default: any].
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A further group of the user; may be repeated. What its name brings (all accounts of a namespace, everybody who is known) is known.
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// Answer these SubjectAccessReviews (manifests) instead of one question.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "verb", "resource", "name", "group", "namespace"])]
    reviews: Option<PathBuf>,
    /// Files and folders with roles and bindings; `-` reads standard input.
    #[arg(short, long = "file", value_name = "PATH")]
    files: Vec<PathBuf>,
    /// Ask the roles and bindings of the cluster instead of files.
    #[arg(long, conflicts_with = "files")]
    cluster: bool,
    #[command(flatten)]
    target: ClusterArgs,
    /// Output format.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl CanArgs {
    pub(super) async fn run(self, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<Outcome> {
        if self.files.is_empty() && !self.cluster {
            bail!("whose roles and bindings? Give files or folders with --file, or --cluster");
        }
        let questions = self.questions()?;
        let mut scanned = Scanned::default();
        if self.cluster {
            let connection = kubeconfig::connect(&self.target).await?;
            listing::read_kinds(&connection.client, KINDS, None, &mut scanned).await;
        } else {
            let manifests = Manifests::read(&self.files, &mut std::io::stdin().lock());
            scanned.add(manifests);
        }
        let trouble = scanned.tell_problems(err)?;
        let world = scanned.world();
        let graph = world.rights();
        let answers: Vec<Answer<'_>> = questions.iter().map(|question| Answer::of(graph, question)).collect();
        match self.output {
            Format::Json => answer::write_json(&answers, out)?,
            Format::Table if self.reviews.is_some() => answer::write_list(&answers, Style::of_stdout(), out)?,
            Format::Table => answer::write(&answers, Style::of_stdout(), out)?,
        }
        let no = self.reviews.is_none() && answers.iter().any(|answer| !answer.is_yes());
        Ok(match (trouble, no) {
            (true, _) => Outcome::Trouble,
            (false, true) => Outcome::Findings,
            (false, false) => Outcome::Clean,
        })
    }

    fn questions(&self) -> anyhow::Result<Vec<Question>> {
        if let Some(file) = &self.reviews {
            let manifests = Manifests::read(std::slice::from_ref(file), &mut std::io::stdin().lock());
            if let Some(problem) = manifests.problems.first() {
                bail!("{problem}");
            }
            let objects = manifests.documents.into_iter();
            let questions = objects.map(|document| {
                Question::of_review(&document.object)
                    .with_context(|| format!("{}{}", document.source, document.source.within))
            });
            return questions.collect();
        }
        let (Some(subject), Some(verb), Some(resource)) = (&self.subject, &self.verb, &self.resource) else {
            bail!("who, what, on what? `ironside can alice get pods`");
        };
        let question = Question::new(
            question::identity(subject, &self.group)?,
            verb,
            resource,
            self.name.as_deref(),
            self.target.namespace.as_deref(),
        );
        Ok(vec![question?])
    }
}
