//! The S3 server as a real client sees it: what AWS answers, it answers.

// In tests a panic is the message.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use imgmill_testing::s3::{Fault, S3Server};
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig,
};

/// A client that tries once, so that what it reports is what the server said.
fn client_with_secret(server: &S3Server, bucket: &str, secret: &str) -> AmazonS3 {
    AmazonS3Builder::new()
        .with_endpoint(server.endpoint())
        .with_allow_http(true)
        .with_region("eu-central-1")
        .with_bucket_name(bucket)
        .with_access_key_id(server.access_key())
        .with_secret_access_key(secret)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .build()
        .unwrap()
}

fn client(server: &S3Server, bucket: &str) -> AmazonS3 {
    client_with_secret(server, bucket, server.secret_key())
}

fn create() -> PutOptions {
    PutOptions::from(PutMode::Create)
}

#[tokio::test]
async fn objects_are_put_got_listed_and_deleted() {
    let server = S3Server::start("images");
    let store = client(&server, "images");
    let key = Path::from("a/b.jpg");
    let attributes = Attributes::from_iter([(Attribute::ContentType, "image/jpeg")]);
    let options = PutOptions { attributes, ..PutOptions::default() };
    store.put_opts(&key, PutPayload::from_static(b"pixels"), options).await.unwrap();

    let got = store.get(&key).await.unwrap();
    assert_eq!(got.attributes.get(&Attribute::ContentType).map(|value| value.as_ref()), Some("image/jpeg"));
    assert_eq!(got.bytes().await.unwrap().as_ref(), b"pixels");
    assert_eq!(store.head(&key).await.unwrap().size, 6);
    assert_eq!(server.object("images", "a/b.jpg").as_deref(), Some(&b"pixels"[..]));
    assert_eq!(server.keys("images"), ["a/b.jpg"]);
    assert_eq!(server.requests()[0].header("content-type"), Some("image/jpeg"));
    assert_eq!(server.requests()[0].status, Some(200));

    store.delete(&key).await.unwrap();
    assert!(matches!(store.get(&key).await, Err(Error::NotFound { .. })));
    assert_eq!((server.count("PutObject"), server.count("GetObject"), server.count("HeadObject")), (1, 2, 1));
    assert_eq!(server.count_at("GET", "/images/a/b.jpg"), 2);
}

#[tokio::test]
async fn a_conditional_put_has_one_winner() {
    let server = S3Server::start("images");
    let store = client(&server, "images");
    let key = Path::from("contended");
    let puts = (0..16).map(|_| store.put_opts(&key, PutPayload::from_static(b"pixels"), create()));
    let results = futures::future::join_all(puts).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(
        results.iter().filter(|result| matches!(result, Err(Error::AlreadyExists { .. }))).count(),
        15
    );
    assert_eq!(server.requests().iter().filter(|request| request.status == Some(412)).count(), 15);
}

#[tokio::test]
async fn what_is_wrong_is_said_as_s3_says_it() {
    let server = S3Server::builder().bucket("images").closed_bucket("vault").start();
    let payload = || PutPayload::from_static(b"pixels");
    let key = Path::from("a");

    let missing = client(&server, "nowhere").put(&key, payload()).await.unwrap_err();
    assert!(format!("{missing:?}").contains("NoSuchBucket"), "{missing:?}");
    let closed = client(&server, "vault").put(&key, payload()).await.unwrap_err();
    assert!(format!("{closed:?}").contains("AccessDenied"), "{closed:?}");
    assert_eq!(server.count("PutObject"), 2);

    let impostor = client_with_secret(&server, "images", "wrong").put(&key, payload()).await.unwrap_err();
    assert!(format!("{impostor:?}").contains("SignatureDoesNotMatch"), "{impostor:?}");
    assert_eq!(server.requests().last().unwrap().operation, None);
    assert!(server.keys("images").is_empty());
}

#[tokio::test]
async fn faults_strike_the_next_requests_only() {
    let server = S3Server::start("images");
    let store = client(&server, "images");
    let key = Path::from("a");
    let put = || store.put_opts(&key, PutPayload::from_static(b"pixels"), create());

    server.fail_next("PutObject", 2, Fault::SlowDown);
    for _ in 0..2 {
        put().await.unwrap_err();
        assert_eq!(server.requests().last().unwrap().status, Some(503));
    }
    server.fail_next("PutObject", 1, Fault::AnswerLost);
    put().await.unwrap_err();
    assert_eq!(server.requests().last().unwrap().status, None);
    assert_eq!(server.keys("images"), ["a"], "the work was done all the same");
    assert!(matches!(put().await, Err(Error::AlreadyExists { .. })));
}

#[tokio::test]
async fn large_objects_go_up_in_parts() {
    let server = S3Server::start("images");
    let store = client(&server, "images");
    let key = Path::from("large");
    let mut upload = store.put_multipart(&key).await.unwrap();
    let part = vec![7; 5 * 1024 * 1024];
    upload.put_part(part.clone().into()).await.unwrap();
    upload.put_part(b"end".to_vec().into()).await.unwrap();
    upload.complete().await.unwrap();
    assert_eq!(server.object("images", "large").unwrap().len(), part.len() + 3);
    assert_eq!((server.count("UploadPart"), server.count("CompleteMultipartUpload")), (2, 1));
}

#[tokio::test]
async fn answers_do_not_wait_for_acknowledgements() {
    let server = S3Server::start("images");
    let store = client(&server, "images");
    let began = Instant::now();
    for number in 0..20 {
        store.put(&Path::from(format!("{number}")), PutPayload::from_static(b"pixels")).await.unwrap();
    }
    // With 40 ms each this would be 800 ms at the very least.
    assert!(began.elapsed() < Duration::from_millis(600), "{:?}", began.elapsed());
}
