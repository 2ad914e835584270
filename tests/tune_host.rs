//! What `scripts/tune-host` promises, on a made-up host: no knob of this machine is changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const THP: &str = "sys/kernel/mm/transparent_hugepage/enabled";
const GOVERNOR: &str = "sys/devices/system/cpu/cpu3/cpufreq/scaling_governor";
const LIMITS: &str = "etc/security/limits.d/90-algo-trader.conf";
const HOST: [(&str, &str); 14] = [
    ("sys/devices/system/cpu/online", "0-7\n"),
    ("sys/devices/system/cpu/isolated", "\n"),
    (GOVERNOR, "powersave\n"),
    (THP, "[always] madvise never\n"),
    ("proc/sys/vm/swappiness", "60\n"),
    ("proc/sys/kernel/sched_rt_runtime_us", "950000\n"),
    ("proc/sys/net/core/busy_read", "0\n"),
    ("proc/sys/net/core/busy_poll", "0\n"),
    ("proc/irq/24/smp_affinity_list", "0-7\n"),
    ("proc/irq/25/smp_affinity_list", "4\n"),
    ("proc/irq/26/smp_affinity_list", "1\n"),
    ("proc/77/comm", "irqbalance\n"),
    ("proc/78/comm", "bash\n"),
    ("etc/security/limits.d/20-other.conf", "other\n"),
];

fn host(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().expect("a temporary directory");
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("files are in directories")).expect("a directory");
        fs::write(path, content).expect("a file");
    }
    root
}

fn tune(root: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/tune-host");
    let Output { status, stdout, stderr } = Command::new("bash")
        .arg(script)
        .args(arguments)
        .env("TUNE_HOST_ROOT", root)
        .env_remove("SUDO_USER")
        .output()
        .expect("bash is there");
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    println!("{text}");
    (status.code(), text)
}

fn contents(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for path in fs::read_dir(directory).expect("a directory").flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                open.push(path);
            } else {
                let content = fs::read_to_string(&path).expect("a text");
                found.insert(path.strip_prefix(root).expect("below the root").to_owned(), content);
            }
        }
    }
    found
}

#[test]
fn a_dry_run_says_everything_and_changes_nothing() {
    let root = host(&HOST);
    let before = contents(root.path());
    let (status, text) = tune(root.path(), &["--cores", "2-5", "--user", "trader"]);
    assert_eq!(status, Some(0));
    for said in [
        "Busy cores: 2-5; everything else: 0,1,6,7",
        "would   cpu3: powersave -> performance",
        "would   transparent huge pages: always -> madvise",
        "would   irq 24: 0-7 -> 0,1,6,7",
        "would   irq 25: 4 -> 0,1,6,7",
        "irqbalance runs",
        "would   kernel.sched_rt_runtime_us: 950000 -> -1",
        "would   limits: write /etc/security/limits.d/90-algo-trader.conf",
        "would   net.core.busy_poll: 0 -> 50",
        "isolcpus=managed_irq,domain,2-5 nohz_full=2-5 rcu_nocbs=2-5 irqaffinity=0,1,6,7",
        "would change: 9, already so: 1, skipped: 0",
    ] {
        assert!(text.contains(said), "{said}");
    }
    assert!(!text.contains("irq 26"), "an interrupt that is elsewhere is left alone");
    assert_eq!(contents(root.path()), before);
}

#[test]
fn what_is_applied_can_be_reverted_exactly() {
    let root = host(&HOST);
    let before = contents(root.path());
    let (status, text) = tune(root.path(), &["--apply", "--cores", "2-5", "--user", "trader"]);
    assert_eq!(status, Some(0));
    assert!(text.contains("changed: 9, already so: 1, skipped: 0, failed: 0"));
    let applied = contents(root.path());
    let value = |path: &str| applied[Path::new(path)].trim();
    assert_eq!([value(GOVERNOR), value(THP)], ["performance", "madvise"]);
    assert_eq!(value("proc/sys/kernel/sched_rt_runtime_us"), "-1");
    assert_eq!(value("proc/irq/25/smp_affinity_list"), "0,1,6,7");
    assert!(value(LIMITS).contains("trader - rtprio 50\ntrader - memlock unlimited"));

    // Again, with one core more: the first values stay the ones to go back to.
    let (status, text) = tune(root.path(), &["--apply", "--cores", "2-6", "--user", "trader"]);
    assert_eq!(status, Some(0));
    assert!(text.contains("changed: 2, already so: 8"));

    let (status, _) = tune(root.path(), &["--revert"]);
    assert_eq!(status, Some(0));
    let mut after = contents(root.path());
    // A real kernel shows all its choices again; a file holds what was written.
    assert_eq!(after.insert(THP.into(), before[Path::new(THP)].clone()).as_deref(), Some("always\n"));
    assert_eq!(after, before);
}

#[test]
fn limits_that_somebody_else_wrote_are_left_alone_and_told() {
    let root = host(&HOST);
    let theirs = "trader - nofile 65536\n";
    fs::write(root.path().join(LIMITS), theirs).expect("a file");
    let (status, text) = tune(root.path(), &["--apply", "--cores", "2-5", "--user", "trader"]);
    assert_eq!(status, Some(0));
    assert!(text.contains("skip    limits: /etc/security/limits.d/90-algo-trader.conf is not of"), "{text}");
    assert_eq!(fs::read_to_string(root.path().join(LIMITS)).expect("it is there"), theirs);
    assert_eq!(tune(root.path(), &["--revert"]).0, Some(0));
    assert_eq!(fs::read_to_string(root.path().join(LIMITS)).expect("it is there"), theirs);
}

#[test]
fn a_host_without_knobs_is_no_failure() {
    let root = host(&[("sys/devices/system/cpu/online", "0-1\n")]);
    let (status, text) = tune(root.path(), &["--apply"]);
    assert_eq!(status, Some(0));
    assert!(text.contains("changed: 0, already so: 0"));
    assert!(text.contains("net.core.busy_read: not on this host"));
    let (status, text) = tune(host(&[]).path(), &[]);
    assert_eq!(status, Some(0));
    assert!(text.contains("Busy cores: none"));
}

#[test]
fn never_for_huge_pages_is_left_as_it_is() {
    let root = host(&[(THP, "always madvise [never]\n")]);
    let (_, text) = tune(root.path(), &["--apply"]);
    assert!(text.contains("ok      transparent huge pages: never"));
}

#[test]
fn impossible_arguments_are_bad_usage() {
    let root = host(&HOST);
    for (arguments, said) in [
        (&["--cores", "0-7"][..], "leaves no core for everything else"),
        (&["--cores", "2-9"], "this host has no core 8,9"),
        (&["--cores", "2-"], "not a list of cores"),
        (&["--cores", "$(id)"], "not a list of cores"),
        (&["--cores"], "wants a value"),
        (&["--user", "a b"], "not a user name"),
        (&["--aply"], "unknown argument '--aply'"),
    ] {
        let (status, text) = tune(root.path(), arguments);
        assert_eq!(status, Some(2), "{arguments:?}");
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn nothing_to_revert_is_no_failure() {
    let (status, text) = tune(host(&HOST).path(), &["--revert"]);
    assert_eq!(status, Some(0));
    assert!(text.contains("set back: 0, already so: 0, failed: 0"));
}
