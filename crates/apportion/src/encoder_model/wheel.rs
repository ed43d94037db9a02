//! One member of a wheel, which is a ZIP archive: found through the archive's directory, stored or deflated (PKWARE
//! APPNOTE.TXT 6.3, sections 4.3.7, 4.3.12 and 4.3.16; no archives over 4 GiB, no encryption).

use anyhow::{Context as _, bail};
use flate2::read::DeflateDecoder;
use std::{
    fs::File,
    io::{Read, Seek as _, SeekFrom},
};

/// The directory's end, with the longest comment.
const LONGEST_END: u64 = END as u64 + 65_535;
/// What it takes without one.
const END: usize = 22;
/// The directory itself is never larger.
const LARGEST_DIRECTORY: u32 = 1 << 24;

/// The content of a member, or `None` where the file is no archive.
pub(super) fn member(file: &mut File, name: &str) -> anyhow::Result<Option<Box<dyn Read>>> {
    let mut magic = [0; 4];
    let whole = file.read_exact(&mut magic).is_ok();
    file.rewind()?;
    if !whole || magic != *b"PK\x03\x04" {
        return Ok(None);
    }
    let directory = directory(file)?;
    let entry = entry(&directory, name)?;
    let mut header = [0; 30];
    file.seek(SeekFrom::Start(entry.at))
        .and_then(|_| file.read_exact(&mut header))
        .context("the archive is cut short")?;
    let skipped = i64::from(u16_at(&header, 26)?) + i64::from(u16_at(&header, 28)?);
    file.seek(SeekFrom::Current(skipped))?;
    let packed = file.try_clone()?.take(entry.packed);
    match entry.method {
        0 => Ok(Some(Box::new(packed))),
        8 => Ok(Some(Box::new(DeflateDecoder::new(packed)))),
        other => bail!("{name} is packed by method {other}; only stored and deflated members are read"),
    }
}

/// Where a member lies and how it is packed.
struct Entry {
    method: u16,
    packed: u64,
    at: u64,
}

fn directory(file: &mut File) -> anyhow::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LONGEST_END);
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.read_to_end(&mut end)?;
    let at = end
        .windows(4)
        .rposition(|bytes| bytes == b"PK\x05\x06")
        .context("the archive is cut short: it has no directory")?;
    if end.len() < at + END {
        bail!("the archive is cut short: its directory's end is not whole");
    }
    let (size, start) = (u32_at(&end, at + 12)?, u32_at(&end, at + 16)?);
    if size > LARGEST_DIRECTORY || u64::from(start) + u64::from(size) > length {
        bail!("the archive's directory lies outside of it");
    }
    let mut directory = vec![0; size as usize];
    file.seek(SeekFrom::Start(u64::from(start)))?;
    file.read_exact(&mut directory)?;
    Ok(directory)
}

fn entry(directory: &[u8], name: &str) -> anyhow::Result<Entry> {
    let mut at = 0;
    while directory.get(at..at + 4) == Some(b"PK\x01\x02".as_slice()) {
        let [length, extra, comment] =
            [u16_at(directory, at + 28)?, u16_at(directory, at + 30)?, u16_at(directory, at + 32)?];
        let after = at + 46 + usize::from(length);
        if directory.get(at + 46..after) == Some(name.as_bytes()) {
            return Ok(Entry {
                method: u16_at(directory, at + 10)?,
                packed: u64::from(u32_at(directory, at + 20)?),
                at: u64::from(u32_at(directory, at + 42)?),
            });
        }
        at = after + usize::from(extra) + usize::from(comment);
    }
    bail!("the archive holds no {name}")
}

fn u16_at(bytes: &[u8], at: usize) -> anyhow::Result<u16> {
    let bytes = bytes.get(at..at + 2).context("the archive's directory is damaged")?;
    Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> anyhow::Result<u32> {
    let bytes = bytes.get(at..at + 4).context("the archive's directory is damaged")?;
    Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// Python: `zipfile.ZipFile(f, "w", ZIP_DEFLATED)` with "a" = "other" and "m/x.bin" = "hello" * 40, then "s" stored "plain".
    const ARCHIVE: &[u8] = include_bytes!("tests/small.zip");

    fn read(bytes: &[u8], name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        let Some(mut member) = member(&mut file, name)? else { return Ok(None) };
        let mut content = Vec::new();
        member.read_to_end(&mut content)?;
        Ok(Some(content))
    }

    #[test]
    fn members_are_found_stored_and_deflated() {
        assert_eq!(read(ARCHIVE, "m/x.bin").unwrap().unwrap(), b"hello".repeat(40));
        assert_eq!(read(ARCHIVE, "s").unwrap().unwrap(), b"plain");
        assert_eq!(read(b"E5S1 something", "s").unwrap(), None);
        assert!(read(ARCHIVE, "gone").unwrap_err().to_string().contains("holds no gone"));
    }

    #[test]
    fn no_damage_crashes() {
        for cut in 4..ARCHIVE.len() {
            assert!(read(&ARCHIVE[..cut], "m/x.bin").is_err(), "cut at {cut}");
        }
        for at in 4..ARCHIVE.len() {
            let mut bytes = ARCHIVE.to_vec();
            bytes[at] = 0xFF;
            let _ = read(&bytes, "m/x.bin");
        }
    }
}
