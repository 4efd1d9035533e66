//! A token as GitHub signs its own, by a key of 2048 bits that was thrown away.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// The key's modulus; its exponent is the usual one.
pub(crate) const MODULUS: &str = "\
    1BwkbomDVE2ep3wnCQIuNi6b4yZ9xqr6MxbihSh1L4NQTfzJEZ3o_gfaIPwhpVgo7L973pW7fzKsZIMZ_Jl-A7\
    oOO7pEQ0eaJc87Ni0z8_0I7c08BoFSaWR_LPJAYnhM-dHYxiwukNm3kzsTkywE8moHRrt7lhrGN_qWRo3SH7mc\
    Tyl099wAD7Tk2m3iTNMi842Pjg8bXGcELkIwc7Cdi1GXIlSHEbexJ2uka-pPY1rw-iKXKI1TJmpADqX9cz90Xx\
    pUETt56Ke-YC_-V66RZGWFZ1Ntbmmn7GSMJyo2rHczP4wGv6QdR12FYbl-yb5DQSP60S2GqzAXeF9Vghkfcw";

const HEADER: &str = r#"{"alg":"RS256","typ":"JWT","kid":"rsa"}"#;
const CLAIMS: &str = r#"{"iss":"https://token.actions.githubusercontent.com","aud":"mercurious","sub":"repo:team/app:ref:refs/heads/main","repository":"team/app","ref":"refs/heads/main","iat":1700000000,"exp":4102444800}"#;
const SIGNATURE: &str = "\
    SdCsXny3CJldY6ha7P1aicwHc75pq5VwyTAkGUYNZVL81q--aHqJ51lw1dKO4TleKr79MaAcpEkFO8DPwoABfY\
    ga4KTz9G3QLbPjl0ruNytDBzAcifdaisCTv2BzoTFZ6z8FyS1QP_AU_OX6aB_IV8bF-ruH29ZDkLAUofg3weNt\
    ViYIgqillGfhlUl0Op1m6X7Ayi6qHAne6SGIKzlDEZrQPNz-wq5NnNJHUR_B4zK5z0h8yqqCP_bL8jsRZmccFo\
    uHZ4RFV_KSis8f6xRZP_-o3amXQYWqurBDIeA0lLGvp2XxjNPAS1zIohDA5OJhFF2-4cQy81__Q3XMaZKY0g";

/// Issued in 2023, good until 2100, for `team/app` on `refs/heads/main`.
pub(crate) fn token() -> String {
    let [header, claims] = [HEADER, CLAIMS].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}.{claims}.{SIGNATURE}")
}
