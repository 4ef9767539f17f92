//! A test that fails leaves what is needed to understand it.

use anyhow::{Result, bail, ensure};
use ironside_e2e::workloads::{Workload, available_deployment};
use ironside_e2e::{dump, scenario};

#[tokio::test]
async fn a_failing_test_leaves_logs_audit_and_dumps_in_one_folder() -> Result<()> {
    let failing = scenario(async |test| {
        available_deployment(&test.client, &test.namespace, &Workload::named("left-behind")).await?;
        let log = test.folder().join("operator-1.log");
        std::fs::write(&log, "a line of the operator\n")?;
        test.keep_on_failure(log);
        let dropped = test.cluster.drop_namespace(&test.client, &test.namespace).await;
        dropped.and_then(|()| bail!("this failure is meant"))
    });
    let Err(error) = failing.await else { bail!("it passed") };
    let error = format!("{error:#}");
    ensure!(error.contains("this failure is meant"), "{error}");

    let name = "harness.artifacts.a_failing_test_leaves_logs_audit_and_dumps_in_one_folder";
    let folder = dump::artifacts().join(name);
    ensure!(
        error.contains(&folder.display().to_string()),
        "the error says where: {error}"
    );
    for (file, content) in [
        ("failure.txt", "this failure is meant"),
        ("operator-1.log", "a line of the operator"),
        ("audit.log", "\"verb\":\"create\""),
        ("kube-apiserver.log", "Serving securely"),
        ("etcd.log", ""),
        ("kwok.log", ""),
        ("objects.txt", "left-behind"),
        ("workloads.yaml", "left-behind"),
        ("pods.yaml", "left-behind"),
        ("events.txt", "left-behind"),
        ("ironside.txt", ""),
    ] {
        let text = std::fs::read_to_string(folder.join(file))?;
        ensure!(text.contains(content), "{file} lacks {content:?}");
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
