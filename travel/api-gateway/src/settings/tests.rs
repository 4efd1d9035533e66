use mercurious_runtime::Environment;

use super::*;

/// The settings and the warnings, or the faults.
fn read(values: &[(&str, &str)]) -> Result<(Settings, Vec<String>), Vec<String>> {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut environment = Environment::of(values.iter().map(pair));
    let settings = Settings::read(&mut environment);
    match (settings, environment.finish()) {
        (Some(settings), Ok(warnings)) => Ok((settings, warnings)),
        (settings, Err(faults)) => {
            assert!(settings.is_none() || !faults.0.is_empty());
            Err(faults.0)
        }
        (None, Ok(_)) => panic!("no settings and no fault"),
    }
}

/// The variables that are wrong.
fn faults(values: &[(&str, &str)]) -> Vec<String> {
    let name = |fault: String| fault.split(' ').next().unwrap().to_owned();
    read(values).unwrap_err().into_iter().map(name).collect()
}

#[test]
fn the_store_alone_is_enough() {
    let (settings, warnings) = read(&[("STORE_URL", "sqlite:/data/gateway.db")]).unwrap();
    assert!(matches!(settings.store, StoreSetting::Sqlite(path) if path.ends_with("gateway.db")));
    assert_eq!(settings.listen.to_string(), "0.0.0.0:3000");
    assert_eq!((settings.rate.per_second, settings.rate.burst), (100.0, 200));
    assert!(warnings.is_empty());
}

#[test]
fn all_faults_are_named_together() {
    let wrong = [
        ("PORT", "high"),
        ("RATE_LIMIT_BURST", "0"),
        ("JOB_DEADLINE", "soon"),
        ("LOG_FORMAT", "xml"),
        ("CLIENT_DEV_URL", "localhost"),
        ("REDIS_URL", "http://127.0.0.1"),
    ];
    let mut named = faults(&wrong);
    named.sort();
    let mut expected: Vec<_> = wrong.iter().map(|(name, _)| (*name).to_owned()).collect();
    expected.push("STORE_URL".to_owned());
    expected.sort();
    assert_eq!(named, expected);
}

#[test]
fn r50_an_old_name_is_taken_with_a_warning_and_contradictions_are_refused() {
    let (settings, warnings) =
        read(&[("DATABASE_URL", "memory"), ("MONGODB_URI", "memory")]).unwrap();
    assert!(matches!(settings.store, StoreSetting::Memory));
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_eq!(faults(&[("STORE_URL", "memory"), ("MONGO_URL", "sqlite:a")]), ["STORE_URL"]);
}

#[test]
fn r45_a_misspelt_name_is_noticed() {
    let (_, warnings) = read(&[("STORE_URL", "memory"), ("RATE_LIMIT_BRUST", "5")]).unwrap();
    assert_eq!(warnings, ["RATE_LIMIT_BRUST is not known; perhaps RATE_LIMIT_BURST?"]);
}

#[test]
fn r52_no_password_is_shown() {
    let secret = "s3cr%3At";
    let url = format!("mongodb://user:{secret}@one:27017,two:27017/travel?authSource=admin");
    let shown = format!("{:?}", read(&[("STORE_URL", &url)]));
    assert!(!shown.contains(secret) && !shown.contains("user"), "{shown}");
    let url = SecretUrl::new(&url);
    assert_eq!(url.to_string(), "mongodb://one:27017,two:27017");
    let told = url.redact("cannot log in with s3cr:t or s3cr%3At at one");
    assert_eq!(told, "cannot log in with … or … at one");
    let wrong = read(&[("STORE_URL", "postgres://user:s3cret@host/")]).unwrap_err();
    assert!(!format!("{wrong:?}").contains("s3cret"), "{wrong:?}");
}

#[test]
fn an_origin_is_what_browsers_send() {
    let (settings, _) = read(&[
        ("STORE_URL", "memory"),
        ("CLIENT_FRONT_URL", "https://gotravelyzer.com/start?a=b"),
        ("CLIENT_DEV_URL", "http://localhost:3000"),
    ])
    .unwrap();
    assert_eq!(settings.http.origins, ["https://gotravelyzer.com", "http://localhost:3000"]);
}
