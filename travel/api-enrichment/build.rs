//! Makes the index of the names in `data/cities.tsv`: sorted names, which cities each means, where their lines are.

use std::{collections::BTreeMap, env, error::Error, fs, path::PathBuf};

#[path = "src/gazetteer/plain.rs"]
mod plain;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=data/cities.tsv");
    println!("cargo::rerun-if-changed=src/gazetteer/plain.rs");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    let cities = fs::read_to_string("data/cities.tsv")?;
    let mut names: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let (mut lines, mut offset) = (Vec::new(), 0_u32);
    for (number, line) in cities.lines().enumerate() {
        lines.extend(offset.to_le_bytes());
        offset += u32::try_from(line.len())? + 1;
        let mut columns = line.split('\t');
        let name = columns.nth(1).ok_or("a line without a name")?;
        let others = columns.nth(8).ok_or("a line without other names")?;
        for name in std::iter::once(name).chain(others.split('|')) {
            let known = names.entry(plain::plain(name)).or_default();
            if known.last() != Some(&u32::try_from(number)?) {
                known.push(u32::try_from(number)?);
            }
        }
    }
    names.remove("");
    // Each name leads to the offset of a list: its length, then the numbers of the lines.
    let mut lists: Vec<u8> = Vec::new();
    let mut index = fst::MapBuilder::memory();
    for (name, cities) in &names {
        index.insert(name, u64::try_from(lists.len())?)?;
        lists.extend(u32::try_from(cities.len())?.to_le_bytes());
        lists.extend(cities.iter().flat_map(|city| city.to_le_bytes()));
    }
    fs::write(out.join("names.fst"), index.into_inner()?)?;
    fs::write(out.join("lists.bin"), lists)?;
    fs::write(out.join("lines.bin"), lines)?;
    Ok(())
}
