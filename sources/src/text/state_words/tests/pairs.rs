//! Lines of tools and of people.

/// How a problem begins and how it ends in the words of tools, and what both are about.
pub(super) const PAIRS: &[(&str, &str, &str)] = &[
    // Uptime Kuma: Slack and GoAlert, OnCall, Discord, Teams.
    ("[shop] [🔴 Down] timeout", "[shop] [✅ Up] 200 - OK", "shop"),
    (
        "[shop] [🔴 Down] connect ECONNREFUSED 192.0.2.1:443",
        "[shop] [✅ Up] 200 - OK",
        "shop",
    ),
    (
        "[my shop] [🔴 Down] Host is unknown",
        "[my shop] [✅ Up]",
        "my shop",
    ),
    (
        "[shop] [Down] timeout of 48000ms exceeded",
        "[shop] [Up] 200 - OK",
        "shop",
    ),
    ("shop is down", "shop is up", "shop"),
    (
        "❌ Your service shop went down. ❌",
        "✅ Your service shop is up! ✅",
        "Your service shop",
    ),
    ("shop service went down.", "shop service went up!", "shop service"),
    (
        "🔴 Application [shop] went down",
        "✅ Application [shop] is back online",
        "Application [shop]",
    ),
    // Gatus.
    (
        "An alert for *shop-A* has been triggered due to having failed 3 time(s) in a row",
        "An alert for *shop-A* has been resolved after passing successfully 2 time(s) in a row",
        "An alert for shop-A",
    ),
    (
        "An alert for *core/shop-A* has been triggered due to having failed 3 time(s) in a row:",
        "An alert for *core/shop-A* has been resolved after passing successfully 2 time(s) in a row:",
        "An alert for core/shop-A",
    ),
    // Healthchecks.
    (
        "“nightly backup” is DOWN.",
        "“nightly backup” is UP.",
        "nightly backup",
    ),
    (
        "The check \"nightly backup\" is DOWN.",
        "The check \"nightly backup\" is UP.",
        "The check nightly backup",
    ),
    (
        "“nightly backup” is DOWN (success signal did not arrive on time, grace time passed).",
        "“nightly backup” is UP.",
        "nightly backup",
    ),
    // UptimeRobot.
    ("Monitor is DOWN: shop", "Monitor is UP: shop", "Monitor shop"),
    (
        "Monitor is DOWN: shop ( https://shop.example ) - Reason: Connection Timeout",
        "Monitor is UP: shop ( https://shop.example ). It was down for 2 minutes and 3 seconds.",
        "Monitor shop ( https://shop.example )",
    ),
    // Better Stack.
    ("New incident: shop", "Resolved incident: shop", "shop"),
    (
        "🔥 Incident: API latency",
        "✅ Resolved: API latency",
        "API latency",
    ),
    ("Incident: shop", "Resolved: Incident: shop", "shop"),
    ("[Incident started] shop", "[Incident resolved] shop", "shop"),
    // Pingdom.
    (
        "DOWN alert: shop (shop.example) is DOWN",
        "UP alert: shop (shop.example) is UP",
        "shop (shop.example)",
    ),
    ("[PINGDOM] shop is DOWN", "[PINGDOM] shop is UP", "[PINGDOM] shop"),
    // StatusCake.
    (
        "Your site 'shop' went down",
        "Your site 'shop' went back up",
        "Your site shop",
    ),
    (
        "Your site 'shop' has gone down",
        "Your site 'shop' has gone back up",
        "Your site shop",
    ),
    // Grafana, legacy and unified.
    (
        "[Alerting] Disk almost full",
        "[OK] Disk almost full",
        "Disk almost full",
    ),
    (
        "[No Data] Disk almost full",
        "[OK] Disk almost full",
        "Disk almost full",
    ),
    (
        "[FIRING:1] HighCPU (web-1)",
        "[RESOLVED] HighCPU (web-1)",
        "HighCPU (web-1)",
    ),
    (
        "[FIRING:1, RESOLVED:2] HighCPU",
        "[RESOLVED:3] HighCPU",
        "HighCPU",
    ),
    // Alertmanager: the summary of what has ended is the same.
    (
        "[FIRING:2] InstanceDown",
        "[RESOLVED] InstanceDown",
        "InstanceDown",
    ),
    ("[FIRING:2] shop is down", "[RESOLVED] shop is down", "shop"),
    (
        "🔥 FIRING: InstanceDown",
        "✅ RESOLVED: InstanceDown",
        "InstanceDown",
    ),
    // Zabbix.
    (
        "Problem: Disk full on db-1",
        "Resolved: Disk full on db-1",
        "Disk full on db-1",
    ),
    (
        "Problem: Disk full on db-1",
        "Resolved in 5m 3s: Disk full on db-1",
        "Disk full on db-1",
    ),
    ("PROBLEM: Disk full", "OK: Disk full", "Disk full"),
    // Nagios and Icinga.
    (
        "** PROBLEM Service Alert: web/http is CRITICAL **",
        "** RECOVERY Service Alert: web/http is OK **",
        "Service web/http",
    ),
    (
        "** PROBLEM Host Alert: web is DOWN **",
        "** RECOVERY Host Alert: web is UP **",
        "Host web",
    ),
    (
        "[PROBLEM] http on web-1 is CRITICAL!",
        "[RECOVERY] http on web-1 is OK!",
        "http on web-1",
    ),
    ("web-1/http is WARNING", "web-1/http is OK", "web-1/http"),
    // Checkmk.
    (
        "Check_MK: web-1/CPU load OK -> CRIT",
        "Check_MK: web-1/CPU load CRIT -> OK",
        "Check_MK: web-1/CPU load",
    ),
    (
        "Checkmk: web-1 UP→DOWN",
        "Checkmk: web-1 DOWN→UP",
        "Checkmk: web-1",
    ),
    (
        "CPU load changed from OK to CRITICAL",
        "CPU load changed from CRITICAL to OK",
        "CPU load",
    ),
    // Datadog.
    (
        "[Triggered] High load on db-1",
        "[Recovered] High load on db-1",
        "High load on db-1",
    ),
    (
        "[Triggered on {host:db-1}] High load",
        "[Recovered on {host:db-1}] High load",
        "[on {host:db-1}] High load",
    ),
    (
        "[P2] [Warn] High load on db-1",
        "[P2] [Recovered] High load on db-1",
        "[P2] High load on db-1",
    ),
    ("[Re-Triggered] High load", "[Recovered] High load", "High load"),
    // New Relic.
    (
        "[OPEN] shop: error rate",
        "[CLOSED] shop: error rate",
        "shop: error rate",
    ),
    (
        "Violation opened - shop",
        "Violation closed - shop",
        "Violation - shop",
    ),
    // AWS Chatbot and SNS.
    (
        "ALARM: \"cpu-high\" in EU (Frankfurt)",
        "OK: \"cpu-high\" in EU (Frankfurt)",
        "cpu-high in EU (Frankfurt)",
    ),
    // Jenkins.
    (
        "shop - #42 Failure after 12 sec (<https://ci.example/42|Open>)",
        "shop - #43 Back to normal after 14 sec (<https://ci.example/43|Open>)",
        "shop",
    ),
    ("FAILURE: Job 'shop'", "SUCCESS: Job 'shop'", "Job shop"),
    // Beszel.
    (
        "Connection to web-1 is down 🔴",
        "Connection to web-1 is up 🟢",
        "Connection to web-1",
    ),
    // Dozzle, Docker.
    (
        "Container web-1 is unhealthy",
        "Container web-1 is healthy",
        "Container web-1",
    ),
    // Proxmox.
    (
        "vzdump backup status (pve1): backup failed",
        "vzdump backup status (pve1): backup successful",
        "vzdump backup status (pve1): backup",
    ),
    // Synology.
    (
        "Backup task nightly on nas has failed",
        "Backup task nightly on nas has recovered",
        "Backup task nightly on nas",
    ),
    // Sentry.
    (
        "Critical: error count of shop",
        "Resolved: error count of shop",
        "error count of shop",
    ),
    // PRTG.
    (
        "core-sw-1 Ping (Ping) DOWN",
        "core-sw-1 Ping (Ping) UP",
        "core-sw-1 Ping (Ping)",
    ),
    (
        "core-sw-1 - Ping - Down",
        "core-sw-1 - Ping - Up",
        "core-sw-1 - Ping",
    ),
    // Cachet, status pages, Flux, Argo CD.
    (
        "Incident shop has been opened",
        "Incident shop has been closed",
        "Incident shop",
    ),
    (
        "Application shop is degraded",
        "Application shop is healthy",
        "Application shop",
    ),
    (
        "kustomization/apps: failed",
        "kustomization/apps: recovered",
        "kustomization/apps",
    ),
    // Without a tool.
    ("shop: DOWN", "shop: UP", "shop"),
    ("shop - CRITICAL", "shop - OK", "shop"),
    ("shop | down", "shop | up", "shop"),
    ("shop DOWN!", "shop RECOVERED!", "shop"),
    ("DOWN | shop", "UP | shop", "shop"),
    ("*CRITICAL* disk of db-1", "*OK* disk of db-1", "disk of db-1"),
    (":x: shop CRITICAL", ":white_check_mark: shop NORMAL", "shop"),
    ("🔴 shop down", "🟢 shop up", "shop"),
    ("shop is not reachable", "shop is reachable again", "shop"),
    ("shop is no longer reachable", "shop is reachable", "shop"),
    ("shop is firing", "shop is no longer firing", "shop"),
    ("disk is critical on db-1", "disk is ok on db-1", "disk on db-1"),
    ("shop is DOWN: timeout", "shop is UP: 200 OK", "shop"),
    ("shop is down since 10:42", "shop is up again", "shop"),
    ("shop is down for 5m", "shop is back to normal", "shop"),
    ("API DOWN", "API UP", "API"),
    ("*[Alerting] shop*", "*[OK] shop*", "shop"),
    ("(DOWN) shop", "(UP) shop", "shop"),
    ("shop (DOWN)", "shop (UP)", "shop"),
    (
        "Service 'shop' changed state to DOWN",
        "Service 'shop' changed state to UP",
        "Service shop changed state",
    ),
    (
        "shop status changed to DOWN",
        "shop status changed to UP",
        "shop status",
    ),
    (
        "Website shop is currently unavailable",
        "Website shop is available again",
        "Website shop",
    ),
    ("shop is DOWN now", "shop is OK now", "shop"),
    ("shop is failing", "shop is passing", "shop"),
    ("shop is down", "shop is up. Downtime was 5 minutes", "shop"),
    ("shop went down at 10:42", "shop: recovered from DOWN", "shop"),
    (
        "Disk problem is critical",
        "Disk problem resolved",
        "Disk problem",
    ),
    (
        "Incident #12 opened: shop",
        "Incident #12 resolved: shop",
        "#12 shop",
    ),
    ("🔴 DOWN shop", "✅ UP shop", "shop"),
    ("db-1 ist ausgefallen", "db-1 ist wieder erreichbar", "db-1"),
    (
        "<https://shop.example|shop> is down",
        "<https://shop.example|shop> is up",
        "shop",
    ),
    // PagerDuty.
    ("Triggered #123: shop", "Resolved #123: shop", "#123: shop"),
    // Netdata.
    (
        "web-1 needs attention, disk space of /var",
        "web-1 recovered, disk space of /var",
        "web-1 disk space of /var",
    ),
    // GitLab and others that build.
    (
        "g/shop: Pipeline #123 of branch main has failed in 00:13",
        "g/shop: Pipeline #124 of branch main has passed in 01:14",
        "g/shop: Pipeline of branch main",
    ),
    (
        "Build #12 of app failed",
        "Build #13 of app succeeded",
        "Build of app",
    ),
    ("Pipeline main broken", "Pipeline main fixed", "Pipeline main"),
    ("Check web failing", "Check web passing", "Check web"),
    // Status pages.
    ("Major outage: api", "Resolved: api", "api"),
    // Dead man's switches.
    (
        "Heartbeat missed: nightly",
        "Heartbeat recovered: nightly",
        "Heartbeat nightly",
    ),
    ("Node offline: web-1", "Node online: web-1", "Node web-1"),
    ("web-1 DOWN: timeout", "web-1 UP: 200 OK", "web-1"),
    // Alarms and incidents that are raised and cleared.
    ("cpu alarm raised", "cpu alarm cleared", "cpu alarm"),
    (
        "Incident started for shop",
        "Incident ended for shop",
        "Incident for shop",
    ),
    (
        "web-1 entered state ALARM",
        "web-1 entered state OK",
        "web-1 entered state",
    ),
    ("Host web-1 DOWN", "Host web-1 RECOVERY (UP)", "Host web-1"),
    ("(down) shop", "(up) shop", "shop"),
    ("shop (down)", "shop (up)", "shop"),
    ("[DOWN] shop - Connection refused", "[UP] shop - HTTP 200", "shop"),
    ("DOWN | shop | HTTP 500", "UP | shop | HTTP 200", "shop"),
    (":x: shop failed", ":heavy_check_mark: shop succeeded", "shop"),
    ("[prod] [CRITICAL] a", "[prod] [OK] a", "[prod] a"),
    ("[CRITICAL] [prod] a", "[RESOLVED] [prod] a", "[prod] a"),
    ("[FIRING] [WARNING] disk", "[RESOLVED] [CRITICAL] disk", "disk"),
    // Subjects of mails: PRTG, Datadog, Site24x7, SolarWinds, UptimeRobot, Proxmox.
    (
        "[PRTG Network Monitor (PRTG)] core-sw-1 Ping (Ping) Down (Request timed out (ICMP error # 11010))",
        "[PRTG Network Monitor (PRTG)] core-sw-1 Ping (Ping) Up (2 msec)",
        "[PRTG Network Monitor (PRTG)] core-sw-1 Ping (Ping)",
    ),
    (
        "[Monitor Alert] Triggered: High load on db-1",
        "[Monitor Alert] Recovered: High load on db-1",
        "High load on db-1",
    ),
    ("Site24x7: shop is Down", "Site24x7: shop is Up", "Site24x7: shop"),
    ("Node web-1 is Down.", "Node web-1 is Up.", "Node web-1"),
    (
        "[UptimeRobot] Monitor is DOWN: shop",
        "[UptimeRobot] Monitor is UP: shop",
        "[UptimeRobot] Monitor shop",
    ),
    // The state in front, without a color.
    ("DOWN shop", "UP shop", "shop"),
    ("DOWN SHOP", "UP SHOP", "SHOP"),
    ("DEGRADED shop", "OPERATIONAL shop", "shop"),
    ("PROBLEM DOWN shop", "RECOVERY UP shop", "shop"),
    ("🔴 Down shop", "✅ Up shop", "shop"),
    // A status code, an error or a time behind a bar or a dash, or in parentheses.
    ("DOWN | shop | 500", "UP | shop | 200", "shop"),
    (
        "DOWN | shop | 503 Service Unavailable",
        "UP | shop | 200 OK",
        "shop",
    ),
    ("DOWN | shop | timeout", "UP | shop | 120ms", "shop"),
    ("DOWN - shop - 500", "UP - shop - 200", "shop"),
    ("[DOWN] shop - 502", "[UP] shop - 204", "shop"),
    ("DOWN: shop (500)", "UP: shop (200)", "shop"),
    ("DOWN: shop (HTTP 500)", "UP: shop (HTTP 200)", "shop"),
    ("DOWN: shop: 500", "UP: shop: 200", "shop"),
    ("shop is DOWN | 500", "shop is UP | 200", "shop"),
    ("Down: shop | code 500", "Up: shop | code 200", "shop"),
    (
        "DOWN | shop | status code 500",
        "UP | shop | status code 200",
        "shop",
    ),
    // The state between two separators.
    ("shop | DOWN | 500", "shop | UP | 200", "shop"),
    ("shop - down - timeout", "shop - up - 200 OK", "shop"),
    ("prod | DOWN | shop", "prod | UP | shop", "prod | shop"),
    (
        "prod - CRITICAL - disk of db-1",
        "prod - OK - disk of db-1",
        "prod - disk of db-1",
    ),
    ("shop: DOWN: 500", "shop: UP: 200", "shop"),
    ("prod: DOWN: shop", "prod: UP: shop", "prod: shop"),
    // What people say beside it.
    ("Oh no! shop is down", "Yay! shop is up again", "shop"),
    ("Oh no: shop is down", "Hooray: shop is up", "shop"),
    ("Bad news, shop is down", "Good news, shop is back up", "shop"),
    ("Bad news: shop is down", "Good news: shop recovered", "shop"),
    ("Uh-oh! shop DOWN", "Woohoo! shop UP", "shop"),
    ("Heads up! shop is down", "Phew! shop is up", "shop"),
    ("Heads up: shop is down", "All good: shop is up", "shop"),
    ("😱 Oh no! *shop* is down!", "🎉 Yay! *shop* is up!", "shop"),
    ("shop is down, oh no!", "shop is up again, yay!", "shop"),
    ("shop is down :(", "shop is up :)", "shop"),
    ("Alert! shop is down", "Resolved! shop is up", "shop"),
    ("DOWN! shop", "UP! shop", "shop"),
    ("shop is down", "shop is back", "shop"),
    ("shop is down", "shop came back.", "shop"),
    ("shop is down", "shop is back again!", "shop"),
    ("shop DOWN again", "shop UP again", "shop"),
    ("Woo! shop is down", "Relax! shop is up", "shop"),
    ("Whoops, shop is down", "Great, shop is up again", "shop"),
    (
        "Houston, we have a problem: shop is down",
        "All good again: shop is up",
        "shop",
    ),
    ("Hey team, shop is down", "Hey team, shop is up", "shop"),
    // What explains a state, elsewhere.
    ("shop DOWN 500", "shop UP 200", "shop"),
    ("shop DOWN - 500", "shop UP - 200", "shop"),
    ("shop DOWN - timeout", "shop UP - 120ms", "shop"),
    ("shop (500) DOWN", "shop (200) UP", "shop"),
    ("shop | 500 | DOWN", "shop | 200 | UP", "shop"),
    ("DOWN | shop | 500 | eu", "UP | shop | 200 | eu", "shop | eu"),
    ("DOWN | shop | 0", "UP | shop | 200", "shop"),
    ("DOWN | shop | 000", "UP | shop | 200", "shop"),
    ("DOWN|shop|500", "UP|shop|200", "shop"),
    (
        "DEGRADED - shop - latency 2500ms",
        "OPERATIONAL - shop - latency 120ms",
        "shop",
    ),
    (
        "Service shop is DEGRADED (latency 2500ms)",
        "Service shop is OPERATIONAL (latency 120ms)",
        "Service shop",
    ),
    ("shop is degraded: slow", "shop is operational", "shop"),
    ("shop Down", "shop Up", "shop"),
    ("shop — outage", "shop — resolved", "shop"),
    (
        "shop entered DEGRADED state",
        "shop entered OPERATIONAL state",
        "shop",
    ),
    (
        "shop is in a degraded state",
        "shop is in an operational state",
        "shop",
    ),
    // Status pages.
    ("shop is degraded", "shop is operational", "shop"),
    ("shop is partially degraded", "shop is fully operational", "shop"),
    ("shop degraded", "shop operational", "shop"),
    ("[DEGRADED] shop", "[OPERATIONAL] shop", "shop"),
    ("[Degraded Performance] shop", "[Operational] shop", "shop"),
    ("Degraded: shop", "Operational: shop", "shop"),
    ("DEGRADED | shop | 2500ms", "OPERATIONAL | shop | 120ms", "shop"),
    ("shop: degraded performance", "shop: operational", "shop"),
    ("Degraded performance - shop", "Operational - shop", "shop"),
    ("shop has degraded performance", "shop is operational", "shop"),
    (
        "shop is experiencing degraded performance",
        "shop is operational again",
        "shop",
    ),
    ("Partial outage: shop", "Operational: shop", "shop"),
    ("shop: Major Outage", "shop: Operational", "shop"),
    ("shop - partial outage", "shop - operational", "shop"),
];

/// Two lines that are about different things, whatever they say.
pub(super) const DIFFERENT: &[(&str, &str)] = &[
    ("[prod] [CRITICAL] a", "[prod] [CRITICAL] b"),
    ("[prod] [CRITICAL] a", "[prod] [OK] b"),
    ("[prod] [DOWN] web-1", "[prod] [UP] web-2"),
    ("[shop-A] [🔴 Down] timeout", "[shop-B] [✅ Up] 200 - OK"),
    ("Too many files open", "Too many files"),
    ("Disk problem", "Disk"),
    ("Disk alert", "Disk"),
    ("Set up", "Set down"),
    ("shop is down on web-1", "shop is up on web-2"),
    ("shop is down: web-1", "shop is up: web-2"),
    ("Monitor is DOWN: shop-A", "Monitor is UP: shop-B"),
    ("[FIRING:1] HighCPU (web-1)", "[RESOLVED] HighCPU (web-2)"),
    (
        "[Triggered on {host:db-1}] High load",
        "[Recovered on {host:db-2}] High load",
    ),
    ("Problem: Disk full on db-1", "Resolved in 5m: Disk full on db-2"),
    (
        "** PROBLEM Service Alert: web/http is CRITICAL **",
        "** RECOVERY Service Alert: web/ssh is OK **",
    ),
    (
        "** PROBLEM Service Alert: web is DOWN **",
        "** RECOVERY Host Alert: web is UP **",
    ),
    ("Ticket #42 is down", "Ticket #43 is up"),
    ("Incident #12 opened: shop", "Incident #13 resolved: shop"),
    ("free space < 5%", "free space > 5%"),
    (
        "shop - #42 Failure after 12 sec",
        "shop-B - #43 Back to normal after 14 sec",
    ),
    (
        "An alert for *shop-A* has been triggered",
        "An alert for *shop-B* has been resolved",
    ),
    ("Backup of db-1 failed", "Backup of db-2 recovered"),
    (
        "Check_MK: web-1/CPU load OK -> CRIT",
        "Check_MK: web-1/Disk CRIT -> OK",
    ),
    ("temperature -5", "temperature 5"),
    ("[DOWN] web-1 - http", "[DOWN] web-1 - dns"),
    ("[DOWN] web-1 - 443", "[DOWN] web-1 - 80"),
    (
        "[DOWN] web-1 - Connection count",
        "[DOWN] web-1 - Connection rate",
    ),
    ("Node offline: web-1", "Node online: web-2"),
    ("Ticket #12 of app failed", "Ticket #13 of app failed"),
    ("Build #12 failed", "Build #13 failed"),
    ("DOWN shop", "UP shop-B"),
    ("DOWN | shop | 500", "UP | shop-B | 200"),
    ("DOWN | web-1 | 443", "DOWN | web-1 | 80"),
    ("DOWN | web-1 | http", "DOWN | web-1 | dns"),
    ("prod | DOWN | shop", "prod | DOWN | pay"),
    ("prod | DOWN | shop", "dev | UP | shop"),
    ("Oh no! shop is down", "Yay! pay is up again"),
    ("Yahoo! is down", "Joomla! is up"),
    ("Great Western is down", "Western is up"),
    ("PROD! shop is down", "DEV! shop is down"),
    ("web-1! shop is down", "web-2! shop is down"),
    ("DOWN|web-1|443", "DOWN|web-1|80"),
    ("shop DOWN - web-1", "shop DOWN - web-2"),
    ("shop DOWN 1", "shop DOWN 2"),
    ("DOWN: latency", "DOWN: throughput"),
    ("DOWN: shop (db-1)", "DOWN: shop (db-2)"),
    ("UP time of web-1", "DOWN time of web-1"),
];
