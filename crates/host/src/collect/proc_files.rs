//! What the files below `/proc` say. Pure: bytes in, numbers out.

use crate::cgroupfs::{DeviceNumber, Syntax, number};

/// The lines of a file with their numbers, empty ones left out.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let numbered = bytes.split(|byte| *byte == b'\n').enumerate();
    numbered.map(|(index, content)| (index + 1, content)).filter(|(_, content)| !content.trim_ascii().is_empty())
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// `/proc/PID/stat`, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessStat {
    /// Name of the executable, at most 15 bytes of it, as the process may have changed it.
    pub command: Vec<u8>,
    /// True when the process has ended and only waits to be collected.
    pub is_dead: bool,
    /// Process that leads its session.
    pub session: u64,
    /// True for a thread of the kernel.
    pub is_kernel: bool,
    /// CPU time in user and system mode, clock ticks.
    pub cpu_ticks: u64,
    /// Threads.
    pub threads_count: u64,
    /// Start after boot, clock ticks: with the pid, a name that is never used again.
    pub start_ticks: u64,
}

/// Reads `/proc/PID/stat`.
///
/// # Errors
/// It has another form than proc(5) gives.
pub fn parse_process_stat(bytes: &[u8]) -> Result<ProcessStat, Syntax> {
    /// `PF_KTHREAD` of the kernel's task flags.
    const KERNEL_THREAD: u64 = 0x0020_0000;
    let malformed = || Syntax::new(1, bytes.trim_ascii(), "pid (command) state and numbers (see proc(5))");
    // The command may hold spaces and parentheses of its own: it ends at the last one.
    let open = bytes.iter().position(|byte| *byte == b'(').ok_or_else(malformed)?;
    let close = bytes.iter().rposition(|byte| *byte == b')').filter(|close| *close > open).ok_or_else(malformed)?;
    let mut fields = [&b""[..]; 22];
    let mut rest = words(&bytes[close + 1..]);
    for field in &mut fields[2..] {
        *field = rest.next().ok_or_else(malformed)?;
    }
    let field = |at: usize| number(fields[at - 1]).ok_or_else(malformed);
    Ok(ProcessStat {
        command: bytes[open + 1..close].to_vec(),
        is_dead: matches!(fields[2], b"Z" | b"X" | b"x"),
        session: field(6)?,
        is_kernel: field(9)? & KERNEL_THREAD != 0,
        cpu_ticks: field(14)?.saturating_add(field(15)?),
        threads_count: field(20)?,
        start_ticks: field(22)?,
    })
}

/// `/proc/PID/statm`: pages in memory, and how many of them are files or shared.
///
/// # Errors
/// It does not hold three numbers.
pub fn parse_statm(bytes: &[u8]) -> Result<(u64, u64), Syntax> {
    let malformed = || Syntax::new(1, bytes.trim_ascii(), "size, resident and shared pages");
    let mut numbers = words(bytes).skip(1).map(number);
    let resident = numbers.next().flatten().ok_or_else(malformed)?;
    let shared = numbers.next().flatten().ok_or_else(malformed)?;
    Ok((resident, shared))
}

/// `/proc/PID/io`: bytes read from and written to block devices.
///
/// # Errors
/// A line that is not `key: number`.
pub fn parse_process_io(bytes: &[u8]) -> Result<(u64, u64), Syntax> {
    let (mut read, mut write) = (0, 0);
    for (line, content) in lines(bytes) {
        let malformed = || Syntax::new(line, content, "key: number");
        let colon = content.iter().position(|byte| *byte == b':').ok_or_else(malformed)?;
        let value = number(&content[colon + 1..]).ok_or_else(malformed)?;
        match &content[..colon] {
            b"read_bytes" => read = value,
            b"write_bytes" => write = value,
            _ => {}
        }
    }
    Ok((read, write))
}

/// `/proc/stat`, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MachineCpu {
    /// CPU time used by all (user, nice, system, interrupts), clock ticks; waiting, idling and what a hypervisor took are
    /// not in it.
    pub busy_ticks: u64,
    /// CPUs that are on.
    pub online_count: u64,
}

/// Reads `/proc/stat`.
///
/// # Errors
/// There is no `cpu` line of numbers.
pub fn parse_machine_cpu(bytes: &[u8]) -> Result<MachineCpu, Syntax> {
    let mut cpu = MachineCpu::default();
    let mut is_there = false;
    for (line, content) in lines(bytes) {
        let mut fields = words(content);
        match fields.next() {
            Some(b"cpu") => {
                let malformed = || Syntax::new(line, content, "cpu and at least seven numbers");
                let ticks: Vec<u64> = fields.map_while(number).collect();
                let [user, nice, system, _idle, _iowait, irq, softirq, ..] = ticks[..] else { return Err(malformed()) };
                let busy = [user, nice, system, irq, softirq];
                cpu.busy_ticks = busy.into_iter().fold(0, u64::saturating_add);
                is_there = true;
            }
            Some([b'c', b'p', b'u', digits @ ..]) if number(digits).is_some() => cpu.online_count += 1,
            // Processors come first; the interrupt line alone can be far longer than all of them.
            _ if is_there => break,
            _ => {}
        }
    }
    if is_there { Ok(cpu) } else { Err(Syntax::new(1, bytes, "a line that begins with cpu")) }
}

/// `/proc/meminfo`, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MachineMemory {
    /// Memory that the kernel manages, bytes.
    pub total_bytes: u64,
    /// Not used for anything, bytes.
    pub free_bytes: u64,
    /// What could be had without swapping, bytes; kernels before 3.14 do not say.
    pub available_bytes: Option<u64>,
}

/// Reads `/proc/meminfo`.
///
/// # Errors
/// `MemTotal` or `MemFree` is missing, or is no number of kB.
pub fn parse_meminfo(bytes: &[u8]) -> Result<MachineMemory, Syntax> {
    let (mut total, mut free, mut available) = (None, None, None);
    for (line, content) in lines(bytes) {
        let mut fields = words(content);
        let place = match fields.next() {
            Some(b"MemTotal:") => &mut total,
            Some(b"MemFree:") => &mut free,
            Some(b"MemAvailable:") => &mut available,
            _ => continue,
        };
        let kib = fields.next().and_then(number).and_then(|kib| kib.checked_mul(1024));
        *place = Some(kib.ok_or_else(|| Syntax::new(line, content, "name: number kB"))?);
    }
    let missing = || Syntax::new(1, bytes, "lines MemTotal and MemFree");
    let (total_bytes, free_bytes) = total.zip(free).ok_or_else(missing)?;
    Ok(MachineMemory { total_bytes, free_bytes, available_bytes: available })
}

/// `/proc/loadavg`: runnable tasks, one-minute mean.
///
/// # Errors
/// It does not begin with a number.
pub fn parse_loadavg(bytes: &[u8]) -> Result<f64, Syntax> {
    let first = words(bytes).next().unwrap_or_default();
    let load = std::str::from_utf8(first).ok().and_then(|text| text.parse::<f64>().ok());
    load.filter(|load| load.is_finite() && *load >= 0.0).ok_or_else(|| Syntax::new(1, bytes.trim_ascii(), "a load"))
}

/// One line of `/proc/diskstats`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskStat {
    /// Which device.
    pub device: DeviceNumber,
    /// Its name (`vda`).
    pub name: String,
    /// Read, bytes.
    pub read_bytes: u64,
    /// Written, bytes.
    pub write_bytes: u64,
}

/// Reads `/proc/diskstats`.
///
/// # Errors
/// A line of another form.
pub fn parse_diskstats(bytes: &[u8]) -> Result<Vec<DiskStat>, Syntax> {
    lines(bytes)
        .map(|(line, content)| disk_stat(content).ok_or_else(|| Syntax::new(line, content, "a line of diskstats")))
        .collect()
}

fn disk_stat(line: &[u8]) -> Option<DiskStat> {
    /// The kernel counts in sectors of this size, whatever the disk's own.
    const SECTOR_BYTES: u64 = 512;
    let mut fields = words(line);
    let mut small = || u32::try_from(number(fields.next()?)?).ok();
    let device = DeviceNumber { major: small()?, minor: small()? };
    let name = String::from_utf8_lossy(fields.next()?).into_owned();
    let read_bytes = number(fields.nth(2)?)?.checked_mul(SECTOR_BYTES)?;
    let write_bytes = number(fields.nth(3)?)?.checked_mul(SECTOR_BYTES)?;
    Some(DiskStat { device, name, read_bytes, write_bytes })
}

/// One line of `/proc/net/dev`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name (`eth0`).
    pub name: String,
    /// Received, bytes.
    pub receive_bytes: u64,
    /// Sent, bytes.
    pub send_bytes: u64,
}

/// Reads `/proc/net/dev`.
///
/// # Errors
/// A line below the two of the heading that is not `name: numbers`.
pub fn parse_net_dev(bytes: &[u8]) -> Result<Vec<Interface>, Syntax> {
    lines(bytes)
        .filter(|(line, _)| *line > 2)
        .map(|(line, content)| interface(content).ok_or_else(|| Syntax::new(line, content, "name: sixteen numbers")))
        .collect()
}

fn interface(line: &[u8]) -> Option<Interface> {
    let colon = line.iter().rposition(|byte| *byte == b':')?;
    let name = String::from_utf8_lossy(line[..colon].trim_ascii()).into_owned();
    let mut fields = words(&line[colon + 1..]);
    let receive_bytes = number(fields.next()?)?;
    let send_bytes = number(fields.nth(7)?)?;
    (!name.is_empty()).then_some(Interface { name, receive_bytes, send_bytes })
}

/// `/proc/uptime`: seconds since boot, time asleep included.
///
/// # Errors
/// It does not begin with a number.
pub fn parse_uptime(bytes: &[u8]) -> Result<f64, Syntax> {
    parse_loadavg(bytes).map_err(|syntax| Syntax { expected: "seconds since boot", ..syntax })
}

/// `/proc/net/route`: the interface of the default route of IPv4 with the least metric.
///
/// # Errors
/// A line with fewer than eight fields.
pub fn parse_default_route(bytes: &[u8]) -> Result<Option<String>, Syntax> {
    let mut best = None;
    for (line, content) in lines(bytes).filter(|(line, _)| *line > 1) {
        let fields: Vec<&[u8]> = words(content).collect();
        let [name, destination, _, flags, _, _, metric, mask, ..] = fields[..] else {
            return Err(Syntax::new(line, content, "a line of the routing table"));
        };
        if destination == b"00000000" && mask == b"00000000" && leads_somewhere(flags) {
            prefer(&mut best, number(metric).unwrap_or(u64::MAX), name);
        }
    }
    Ok(best.map(|(_, name)| name))
}

/// `/proc/net/ipv6_route`: the interface of the default route of IPv6 with the least metric.
///
/// # Errors
/// A line with fewer than ten fields.
pub fn parse_default_route_v6(bytes: &[u8]) -> Result<Option<String>, Syntax> {
    const ANY: &[u8] = &[b'0'; 32];
    let mut best = None;
    for (line, content) in lines(bytes) {
        let fields: Vec<&[u8]> = words(content).collect();
        let [destination, length, _, source_length, _, metric, _, _, flags, name, ..] = fields[..] else {
            return Err(Syntax::new(line, content, "a line of the routing table of IPv6"));
        };
        // The kernel's own last resort is a default route that refuses.
        if destination == ANY && length == b"00" && source_length == b"00" && leads_somewhere(flags) {
            prefer(&mut best, hexadecimal(metric).unwrap_or(u64::MAX), name);
        }
    }
    Ok(best.map(|(_, name)| name))
}

/// The route with the least metric; of equal ones the first.
fn prefer(best: &mut Option<(u64, String)>, metric: u64, name: &[u8]) {
    if best.as_ref().is_none_or(|(least, _)| metric < *least) {
        *best = Some((metric, String::from_utf8_lossy(name).into_owned()));
    }
}

/// False of a route that refuses what it is for (`unreachable default`).
fn leads_somewhere(flags: &[u8]) -> bool {
    const REJECT: u64 = 0x200;
    hexadecimal(flags).is_none_or(|flags| flags & REJECT == 0)
}

fn hexadecimal(word: &[u8]) -> Option<u64> {
    u64::from_str_radix(str::from_utf8(word).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_may_hold_anything() {
        let line = b"42 (a) (b c) S 1 42 41 0 -1 4194560 5 0 0 0 7 3 0 0 20 0 9 0 1234 1000 55 18446744073709551615\n";
        let stat = parse_process_stat(line).unwrap();
        assert_eq!(stat.command, b"a) (b c");
        assert_eq!((stat.session, stat.cpu_ticks, stat.threads_count, stat.start_ticks), (41, 10, 9, 1234));
        assert!(!stat.is_kernel && !stat.is_dead);
    }

    #[test]
    fn kernel_threads_and_the_dead_are_told() {
        let line = |state: &str, flags: u64| {
            format!("2 (x) {state} 0 0 0 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 1 0 10 0 0").into_bytes()
        };
        assert!(parse_process_stat(&line("S", 2_129_984)).unwrap().is_kernel);
        assert!(parse_process_stat(&line("Z", 0)).unwrap().is_dead);
        assert!(parse_process_stat(b"2 (x S 0 0").is_err());
        assert!(parse_process_stat(b")(").is_err());
    }

    #[test]
    fn machine_files_as_the_kernel_writes_them() {
        let cpu =
            parse_machine_cpu(b"cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 0 0\ncpu3 1 1 1\nintr 5\n").unwrap();
        assert_eq!((cpu.busy_ticks, cpu.online_count), (19, 2));
        let memory = parse_meminfo(b"MemTotal:  100 kB\nMemFree:   40 kB\nMemAvailable: 70 kB\nX: y\n").unwrap();
        assert_eq!((memory.total_bytes, memory.available_bytes), (102_400, Some(71_680)));
        assert_eq!(parse_loadavg(b"0.50 0.40 0.30 1/200 999\n").unwrap().to_bits(), 0.5_f64.to_bits());
        let disks = parse_diskstats(b" 254 0 vda 10 0 8 5 20 0 16 5 0 5 10 0 0\n").unwrap();
        assert_eq!((disks[0].read_bytes, disks[0].write_bytes), (4_096, 8_192));
        let net = b"Inter-|   Receive\n face |bytes\n    lo: 1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\neth0:1:9 1 0 0 0 0 0 0 8 1 0 0 0 0 0 0\n";
        let interfaces = parse_net_dev(net).unwrap();
        assert_eq!(
            (interfaces[1].name.as_str(), interfaces[1].receive_bytes, interfaces[1].send_bytes),
            ("eth0:1", 9, 8)
        );
        let route = b"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n\
            eth1\t00000000\t0100000A\t3\t0\t0\t200\t00000000\t0\neth0\t00000000\t0100000A\t3\t0\t0\t100\t00000000\t0\n";
        assert_eq!(parse_default_route(route).unwrap().as_deref(), Some("eth0"));
        let refused = b"Iface\tDestination\n*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\n";
        assert_eq!(parse_default_route(refused).unwrap(), None);
        assert_eq!(parse_statm(b"100 50 20 1 0 30 0\n").unwrap(), (50, 20));
        assert_eq!(parse_process_io(b"rchar: 9\nread_bytes: 4\nwrite_bytes: 5\n").unwrap(), (4, 5));
    }

    #[test]
    fn the_default_route_of_ipv6_is_the_best_that_leads_somewhere() {
        let any = "0".repeat(32);
        let line = |destination: &str, length: &str, source: &str, metric: &str, flags: &str, name: &str| {
            format!("{destination} {length} {any} {source} {any} {metric} 00000001 00000000 {flags} {name:>8}\n")
        };
        let check = |lines: &[String], expect: Option<&str>| {
            assert_eq!(parse_default_route_v6(lines.concat().as_bytes()).unwrap().as_deref(), expect, "{lines:?}");
        };
        let net = format!("fd{}", "0".repeat(30));
        let others = [
            line(&net, "40", "00", "00000100", "00000001", "eth0"),
            line(&any, "00", "40", "00000001", "00000003", "eth2"),
            line(&any, "00", "00", "ffffffff", "00200200", "lo"),
        ];
        check(&[], None);
        check(&others, None);
        let worse = line(&any, "00", "00", "00000400", "00000003", "eth0");
        check(&[others.concat(), worse.clone()], Some("eth0"));
        check(&[worse, line(&any, "00", "00", "00000064", "00000003", "wlan0")], Some("wlan0"));
    }

    #[test]
    fn bad_lines_are_named() {
        let check = |error: Syntax, line: usize| assert_eq!(error.line, line, "{error:?}");
        check(parse_machine_cpu(b"cpu 1 2 x\n").unwrap_err(), 1);
        check(parse_meminfo(b"MemFree: 1 kB\nMemTotal: many kB\n").unwrap_err(), 2);
        check(parse_diskstats(b"254 0 vda 1 1 1 1 1 1 1\n254 1 vda1\n").unwrap_err(), 2);
        check(parse_net_dev(b"a\nb\neth0 1 2\n").unwrap_err(), 3);
        check(parse_process_io(b"read_bytes 4\n").unwrap_err(), 1);
        check(parse_default_route_v6(b"00 00 00\n").unwrap_err(), 1);
    }
}
