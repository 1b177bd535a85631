//! Programs that send alerts, as Debian has them, set up with what `deploy/senders` has for them. Each raises an alert and
//! clears it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use schemas::{Alert, Severity, Status};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::process::Process;
use tests::waiting::until;
use tests::{World, places, skipped};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// Senders look at what they watch once in a second, and tell it once in ten.
const SOON: Duration = Duration::from_secs(60);
/// What a check says when it is ill, and when it is well: the state that it exits with, and what it prints.
const ILL: &str = "2 lag \"812\" s";
const WELL: &str = "0 lag 0 s";

/// A Reveille, and a folder where a sender is set up.
struct Place {
    world: World,
    folder: TempDir,
    log: PathBuf,
    url: String,
    key: String,
}

impl Place {
    /// `None`, and a loud line, if one of the programs is missing.
    async fn for_programs(scenario: &str, programs: &[&str]) -> Result<Option<Self>> {
        let missing = |program: &&&str| !Path::new(program).is_file() && places::program(program).is_none();
        if let Some(program) = programs.iter().find(missing) {
            skipped(scenario, &format!("there is no {program}"));
            return Ok(None);
        }
        let world = World::as_a_newcomer(scenario).await?;
        // Some senders give up their rights, and must still come in.
        let folder = tempfile::tempdir().context("a folder for the sender")?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777))?;
        let place = Self {
            log: places::target()?
                .join("scenarios")
                .join(scenario)
                .join("sender.log"),
            url: world.console_url(),
            key: world.default_key()?,
            world,
            folder,
        };
        place.write_program("original", &kit("reveille-notify")?)?;
        place.write_configuration(&place.url)?;
        let (original, configuration) = (place.path("original"), place.path("configuration"));
        place.write_program(
            "reveille-notify",
            &format!("#!/bin/sh\nexec '{original}' -c '{configuration}' \"$@\"\n"),
        )?;
        Ok(Some(place))
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.path(name), text).with_context(|| format!("writing {name}"))
    }

    fn write_program(&self, name: &str, text: &str) -> Result<()> {
        self.write(name, text)?;
        fs::set_permissions(self.path(name), Permissions::from_mode(0o755)).context("its rights")
    }

    /// The configuration of `reveille-notify`, for a Reveille at this address.
    fn write_configuration(&self, url: &str) -> Result<()> {
        let text = format!("URL={url}\nKEY={}\nSPOOL={}\n", self.key, self.path("spool"));
        self.write("configuration", &text)
    }

    /// A file of `deploy/senders`, set up as its first lines say.
    fn set_up(&self, kit_name: &str) -> Result<String> {
        Ok(kit(kit_name)?
            .replace("https://reveille.example.org", &self.url)
            .replace("put-the-key-here", &self.key)
            .replace("/usr/local/bin/reveille-notify", &self.path("reveille-notify")))
    }

    /// A check that says what the file `state` holds.
    fn write_check(&self) -> Result<()> {
        self.write("state", WELL)?;
        let state = self.path("state");
        let text = format!("#!/bin/sh\nread -r code text <'{state}'\necho \"$text\"\nexit \"$code\"\n");
        self.write_program("check", &text)
    }

    fn start(&self, program: &str, arguments: &[&str]) -> Result<Process> {
        let mut command = Command::new(program_path(program)?);
        command.args(arguments).current_dir(self.folder.path());
        Process::spawn(program, command, &self.log)
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let status = self.start(program, arguments)?.wait(SOON).await?;
        ensure!(
            status.success(),
            "{program}: {status}; see {}",
            self.log.display()
        );
        Ok(())
    }

    async fn only_alert(&self, status: Status) -> Result<Alert> {
        let look = async || {
            let mut alerts = self.world.client.alerts("state=any").await?;
            ensure!(
                alerts.len() < 2,
                "one problem, one alert, but there are {alerts:#?}"
            );
            Ok(alerts.pop().filter(|alert| alert.status == status))
        };
        let alert = until(&format!("an alert that is {status:?}"), SOON, look).await;
        alert.with_context(|| format!("see {}", self.log.display()))
    }

    async fn raised(&self) -> Result<Alert> {
        self.only_alert(Status::Open).await
    }

    /// It must be the same that was raised.
    async fn cleared(&self) -> Result<Alert> {
        self.only_alert(Status::Closed).await
    }

    /// Makes the check ill and well again, and looks at what is told of it.
    async fn check_is_ill_and_well_again(&self, monitoring_system: &str) -> Result<()> {
        self.write("state", ILL)?;
        let alert = self.raised().await?;
        ensure!(
            alert.monitoring_system == monitoring_system
                && alert.name == "Replication"
                && alert.object == "db-1"
                && alert.severity == Severity::Critical
                && alert.output == "lag \"812\" s",
            "there is {alert:#?}"
        );
        self.write("state", WELL)?;
        let alert = self.cleared().await?;
        ensure!(alert.output == "lag 0 s", "there is {alert:#?}");
        Ok(())
    }
}

fn kit(name: &str) -> Result<String> {
    let path = places::workspace().join("deploy/senders").join(name);
    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

/// On PATH, or at a path.
fn program_path(program: &str) -> Result<PathBuf> {
    if program.contains('/') {
        return Ok(program.into());
    }
    places::program(program).with_context(|| format!("there is no {program}"))
}

/// What a program says in one line.
fn said_by(program: &str, argument: &str) -> Result<String> {
    let output = Command::new(program)
        .arg(argument)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("asking {program}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn nagios_raises_and_clears() -> Result<()> {
    let _turn = tests::alone().await;
    let Some(place) = Place::for_programs("kit-nagios", &["nagios4", "curl", "flock"]).await? else {
        return Ok(());
    };
    place.write_check()?;
    place.write("reveille.cfg", &place.set_up("nagios/reveille.cfg")?)?;
    let days = [
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
    ];
    let days = days.map(|day| format!("{day} 00:00-24:00\n")).concat();
    let common = "max_check_attempts 1\ncheck_period 24x7\nnotification_period 24x7\nnotification_interval 0\ncontacts reveille\n";
    let objects = format!(
        "define timeperiod {{\ntimeperiod_name 24x7\nalias always\n{days}}}\n\
         define command {{\ncommand_name state\ncommand_line {check}\n}}\n\
         define host {{\nhost_name db-1\naddress 10.0.0.9\n{common}}}\n\
         define service {{\nhost_name db-1\nservice_description Replication\ncheck_command state\n\
         check_interval 1\nretry_interval 1\n{common}}}\n",
        check = place.path("check"),
    );
    place.write("objects.cfg", &objects)?;
    fs::create_dir(place.path("results"))?;
    let main = format!(
        "log_file={folder}/nagios.log\ncfg_file={folder}/objects.cfg\ncfg_file={folder}/reveille.cfg\n\
         object_cache_file={folder}/objects.cache\nstatus_file={folder}/status\nlock_file={folder}/lock\n\
         temp_file={folder}/temporary\ntemp_path={folder}\nstate_retention_file={folder}/retention\n\
         check_result_path={folder}/results\nquery_socket={folder}/query\ncommand_file={folder}/commands\n\
         nagios_user={user}\nnagios_group={group}\ncheck_external_commands=0\nuse_syslog=0\ninterval_length=1\n\
         service_inter_check_delay_method=n\nenable_notifications=1\nenable_environment_macros=1\n",
        folder = place.folder.path().display(),
        user = said_by("id", "-un")?,
        group = said_by("id", "-gn")?,
    );
    place.write("nagios.cfg", &main)?;
    let _nagios = place.start("nagios4", &[&place.path("nagios.cfg")])?;
    place.check_is_ill_and_well_again("nagios").await
}

#[tokio::test(flavor = "multi_thread")]
async fn icinga_raises_and_clears() -> Result<()> {
    let _turn = tests::alone().await;
    let Some(place) = Place::for_programs("kit-icinga", &["icinga2", "curl", "flock"]).await? else {
        return Ok(());
    };
    place.write_check()?;
    place.write("reveille.conf", &place.set_up("icinga/reveille.conf")?)?;
    let main = format!(
        "library \"checker\"\nlibrary \"notification\"\nobject CheckerComponent \"checker\" {{ }}\n\
         object NotificationComponent \"notification\" {{ }}\nobject IcingaApplication \"app\" {{ }}\n\
         object CheckCommand \"state\" {{\ncommand = [ \"{check}\" ]\n}}\n\
         object Host \"db-1\" {{\ncheck_command = \"state\"\nenable_active_checks = false\n}}\n\
         object Service \"Replication\" {{\nhost_name = \"db-1\"\ncheck_command = \"state\"\ncheck_interval = 1s\n\
         retry_interval = 1s\nmax_check_attempts = 1\n}}\ninclude \"reveille.conf\"\n",
        check = place.path("check"),
    );
    place.write("icinga2.conf", &main)?;
    let mut arguments = vec!["daemon".to_owned(), "-c".to_owned(), place.path("icinga2.conf")];
    let folder = place.folder.path().display();
    for (name, value) in [
        ("RunAsUser", said_by("id", "-un")?),
        ("RunAsGroup", said_by("id", "-gn")?),
        ("DataDir", folder.to_string()),
        ("LogDir", folder.to_string()),
        ("CacheDir", folder.to_string()),
        ("SpoolDir", folder.to_string()),
        ("InitRunDir", folder.to_string()),
        ("VarsPath", place.path("icinga2.vars")),
        ("StatePath", place.path("icinga2.state")),
        ("ModAttrPath", place.path("modified-attributes.conf")),
        ("ObjectsPath", place.path("icinga2.debug")),
    ] {
        arguments.extend(["-D".to_owned(), format!("{name}={value}")]);
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let _icinga = place.start("icinga2", &arguments)?;
    place.check_is_ill_and_well_again("icinga").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_netdata_agent_raises_changes_and_clears() -> Result<()> {
    let _turn = tests::alone().await;
    const NOTIFY: &str = "/usr/lib/netdata/plugins.d/alarm-notify.sh";
    let Some(place) = Place::for_programs("kit-netdata", &[NOTIFY, "curl", "flock"]).await? else {
        return Ok(());
    };
    let kit = place.set_up("netdata/health_alarm_notify.conf")?;
    place.write("health_alarm_notify.conf", &kit)?;
    // Its own test: a warning, a critical and a clear.
    let folder = place.folder.path().display();
    let script =
        format!("NETDATA_USER_CONFIG_DIR='{folder}' NETDATA_STOCK_CONFIG_DIR='{folder}' {NOTIFY} test");
    place.run("sh", &["-c", &script]).await?;
    let alert = place.cleared().await?;
    ensure!(
        alert.name == "test_alarm"
            && alert.monitoring_system == "netdata-agent"
            && alert.counts.severity_changed > 0,
        "there is {alert:#?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn collectd_raises_and_clears() -> Result<()> {
    let _turn = tests::alone().await;
    let programs = ["collectd", "curl", "flock"];
    let Some(place) = Place::for_programs("kit-collectd", &programs).await? else {
        return Ok(());
    };
    // As root it runs programs for others only.
    let user = match said_by("id", "-un")?.as_str() {
        "root" => "nobody".to_owned(),
        user => user.to_owned(),
    };
    let kit = place.set_up("collectd/reveille.conf")?;
    place.write(
        "reveille.conf",
        &kit.replace("\"nobody\"", &format!("\"{user}\"")),
    )?;
    let (folder, socket) = (place.folder.path().display(), place.path("socket"));
    let main = format!(
        "Hostname \"db-1\"\nFQDNLookup false\nInterval 1\nBaseDir \"{folder}\"\nPIDFile \"{folder}/pid\"\n\
         LoadPlugin unixsock\n<Plugin unixsock>\nSocketFile \"{socket}\"\n</Plugin>\nInclude \"{folder}/reveille.conf\"\n"
    );
    place.write("collectd.conf", &main)?;
    let _collectd = place.start("collectd", &["-f", "-C", &place.path("collectd.conf")])?;
    // The free space of its own file systems is what it is; here another program says it.
    let put = async |free: &str| {
        let value = format!("PUTVAL db-1/df-root/percent_bytes-free interval=1 N:{free}\n");
        until("collectd takes a value", SOON, async || {
            let mut collectd = UnixStream::connect(&socket).await?;
            collectd.write_all(value.as_bytes()).await?;
            let mut answer = String::new();
            BufReader::new(collectd).read_line(&mut answer).await?;
            ensure!(answer.starts_with("0 "), "it says {answer}");
            Ok(Some(()))
        })
        .await
    };
    put("3").await?;
    let alert = place.raised().await?;
    ensure!(
        alert.object == "db-1"
            && alert.name.starts_with("df-root/percent_bytes-free")
            && alert.severity == Severity::Critical
            && alert.output.contains("3.0"),
        "there is {alert:#?}"
    );
    put("50").await?;
    place.cleared().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_of_the_zabbix_media_type_raises_and_clears() -> Result<()> {
    let _turn = tests::alone().await;
    let Some(place) = Place::for_programs("kit-zabbix", &["zabbix_js"]).await? else {
        return Ok(());
    };
    let media = place.set_up("zabbix/reveille.yaml")?;
    place.write("script.js", &script_of(&media))?;
    let script = place.path("script.js");
    let send = async |value: &str| {
        let parameters = parameters_of(&media, value).to_string();
        place.run("zabbix_js", &["-s", &script, "-p", &parameters]).await
    };
    send("1").await?;
    let alert = place.raised().await?;
    ensure!(
        alert.name == "High CPU"
            && alert.object == "web-7"
            && alert.severity == Severity::Critical
            && alert
                .labels
                .get("service")
                .is_some_and(|service| service == "shop")
            && !format!("{alert:?}").contains(&place.key),
        "there is {alert:#?}"
    );
    send("0").await?;
    place.cleared().await?;
    Ok(())
}

/// The block of the media type that is its script.
fn script_of(media: &str) -> String {
    let block = media
        .lines()
        .skip_while(|line| line.trim() != "script: |")
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with("        "));
    block.collect::<Vec<_>>().join("\n")
}

/// What Zabbix hands to the script: the parameters of the media type, with the macros of an event filled in.
fn parameters_of(media: &str, value: &str) -> Value {
    let macros = [
        ("{EVENT.ID}", "448211"),
        ("{EVENT.NAME}", "High CPU on web-7"),
        ("{EVENT.VALUE}", value),
        ("{EVENT.NSEVERITY}", "4"),
        ("{EVENT.UPDATE.STATUS}", "0"),
        ("{EVENT.ACK.STATUS}", "No"),
        ("{EVENT.TAGSJSON}", "[{\"tag\":\"service\",\"value\":\"shop\"}]"),
        ("{EVENT.OPDATA}", "97 %"),
        ("{HOST.HOST}", "web-7"),
        ("{TRIGGER.ID}", "19022"),
        ("{TRIGGER.NAME}", "High CPU"),
    ];
    let field = |line: &str, name: &str| {
        let text = line.trim().strip_prefix(name)?.trim().trim_matches('\'');
        Some(text.to_owned())
    };
    let lines: Vec<_> = media.lines().collect();
    let parameters = lines.windows(2).filter_map(|pair| {
        let (name, text) = (field(pair[0], "name:")?, field(pair[1], "value:")?);
        let filled = macros
            .iter()
            .fold(text, |text, (name, value)| text.replace(name, value));
        Some((name, json!(filled)))
    });
    Value::Object(parameters.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn alertmanager_raises_and_clears() -> Result<()> {
    let _turn = tests::alone().await;
    let programs = ["prometheus-alertmanager", "amtool"];
    let Some(place) = Place::for_programs("kit-alertmanager", &programs).await? else {
        return Ok(());
    };
    place.write("key", &place.key)?;
    let kit = place.set_up("prometheus/alertmanager.yml")?;
    place.write(
        "alertmanager.yml",
        &kit.replace("/etc/alertmanager/reveille-key", &place.path("key")),
    )?;
    let address = places::free_address()?;
    let _alertmanager = place.start(
        "prometheus-alertmanager",
        &[
            &format!("--config.file={}", place.path("alertmanager.yml")),
            &format!("--storage.path={}", place.path("storage")),
            &format!("--web.listen-address={address}"),
            "--cluster.listen-address=",
        ],
    )?;
    let server = format!("--alertmanager.url=http://{address}");
    let alert = [
        "alert",
        "add",
        "alertname=DiskFull",
        "instance=db-1",
        "severity=warning",
    ];
    let add = async |more: &[&str]| {
        let arguments = [&[server.as_str()], alert.as_slice(), more].concat();
        let add = async || place.run("amtool", &arguments).await.map(Some);
        until("amtool's alert", SOON, add).await
    };
    add(&[]).await?;
    let alert = place.raised().await?;
    ensure!(
        alert.name == "DiskFull" && alert.object == "db-1" && alert.severity == Severity::Warning,
        "there is {alert:#?}"
    );
    let now = jiff::Timestamp::now().to_string();
    add(&["--end", &now]).await?;
    place.cleared().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_reveille_notify_cannot_send_waits_and_arrives_in_order() -> Result<()> {
    let _turn = tests::alone().await;
    let Some(place) = Place::for_programs("kit-spool", &["curl", "flock"]).await? else {
        return Ok(());
    };
    let notify = place.path("reveille-notify");
    let tell = async |kind: &str, state: &str, text: &str| {
        let of_nagios = format!(
            "NAGIOS_NOTIFICATIONTYPE={kind} NAGIOS_HOSTNAME=db-1 NAGIOS_SERVICEDESC=Replication \
             NAGIOS_SERVICESTATE={state} NAGIOS_SERVICEOUTPUT='{text}' '{notify}' nagios"
        );
        place.run("sh", &["-c", &of_nagios]).await
    };
    let waiting = || -> Result<usize> {
        let names = fs::read_dir(place.path("spool"))?.map(|entry| Ok(entry?.file_name()));
        let names: Vec<_> = names.collect::<Result<_>>()?;
        let numbered = |name: &&std::ffi::OsString| name.to_string_lossy().starts_with('0');
        Ok(names.iter().filter(numbered).count())
    };
    place.write_configuration(&format!("http://{}", places::free_address()?))?;
    tell("PROBLEM", "CRITICAL", "first\nwith \"more\" & ümlauts = %41").await?;
    tell("PROBLEM", "WARNING", "second").await?;
    tell("RECOVERY", "OK", "third").await?;
    tell("PROBLEM", "CRITICAL", "fourth").await?;
    tell("SOMETHING", "OK", "what nobody understands").await?;
    ensure!(waiting()? == 5, "{} wait", waiting()?);
    place.write_configuration(&place.url)?;
    tell("RECOVERY", "OK", "last").await?;
    ensure!(waiting()? == 0, "{} still wait", waiting()?);
    let refused = fs::read_dir(place.path("spool/refused"))?.count();
    ensure!(refused == 1, "{refused} were refused");
    let alert = place.cleared().await?;
    let history = place.world.client.history(alert.fingerprint).await?;
    let told: Vec<_> = history.iter().map(|entry| entry.message.as_str()).collect();
    let texts = [
        "first\nwith \"more\" & ümlauts = %41",
        "second",
        "third",
        "fourth",
        "last",
    ];
    let mut rest = told.iter();
    let in_order = texts
        .iter()
        .all(|text| rest.any(|message| message.contains(text)));
    ensure!(in_order && alert.output == "last", "the history is {told:#?}");
    Ok(())
}
