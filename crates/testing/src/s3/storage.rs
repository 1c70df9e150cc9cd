//! What stands between the protocol and the files: who may do what, which faults strike, and three things
//! that `s3s-fs` leaves open (a put into a missing bucket, two conditional puts at once, and long listings).

use std::collections::HashSet;
use std::path::PathBuf;

use async_trait::async_trait;
use s3s::access::{S3Access, S3AccessContext};
use s3s::{S3, S3Result, dto, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::Mutex;

use super::Fault;
use super::listing::Listings;
use super::record::{Entry, Record};

/// Consulted by `s3s` after it has checked the signature and found out the operation.
pub(super) struct Gate {
    pub closed_buckets: HashSet<String>,
    pub record: Record,
}

#[async_trait]
impl S3Access for Gate {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let operation = context.s3_op().name().to_owned();
        let bucket = context.s3_path().get_bucket_name().map(str::to_owned);
        let signed = context.credentials().is_some();
        if let Some(entry) = context.extensions_mut().get::<Entry>() {
            entry.is_operation(&operation);
        }
        if !signed || bucket.is_some_and(|bucket| self.closed_buckets.contains(&bucket)) {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        match self.record.take_fault(&operation) {
            None => Ok(()),
            Some(Fault::SlowDown) => Err(s3_error!(SlowDown, "Please reduce your request rate.")),
            Some(Fault::InternalError) => Err(s3_error!(InternalError, "We encountered an internal error.")),
            Some(Fault::AccessDenied) => Err(s3_error!(AccessDenied, "Access Denied")),
            Some(Fault::Silence) => std::future::pending().await,
            Some(Fault::AnswerLost) => {
                if let Some(entry) = context.extensions_mut().get::<Entry>() {
                    entry.lose_answer();
                }
                Ok(())
            }
        }
    }
}

/// The objects.
pub(super) struct Storage {
    files: FileSystem,
    root: PathBuf,
    listings: Listings,
    /// Held from the look to the write of a conditional put, which real S3 decides for one winner.
    one_conditional_put: Mutex<()>,
}

impl Storage {
    pub fn new(root: PathBuf) -> Self {
        let files = FileSystem::new(&root).expect("a directory for objects");
        Self { files, root, listings: Listings::default(), one_conditional_put: Mutex::new(()) }
    }

    fn require_bucket(&self, bucket: &str) -> S3Result<()> {
        if self.root.join(bucket).is_dir() {
            Ok(())
        } else {
            Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"))
        }
    }
}

/// Passes operations on to the files after seeing that their bucket exists.
macro_rules! pass_on {
    ($($operation:ident($input:ident) -> $output:ident;)*) => {
        #[async_trait]
        impl S3 for Storage {
            async fn put_object(
                &self,
                mut request: s3s::S3Request<dto::PutObjectInput>,
            ) -> S3Result<s3s::S3Response<dto::PutObjectOutput>> {
                self.require_bucket(&request.input.bucket)?;
                // The record has the class that was asked for; the files know only the standard one.
                request.input.storage_class = None;
                let conditional = request.input.if_none_match.is_some() || request.input.if_match.is_some();
                let _turn = if conditional { Some(self.one_conditional_put.lock().await) } else { None };
                self.files.put_object(request).await
            }

            async fn list_objects_v2(
                &self,
                request: s3s::S3Request<dto::ListObjectsV2Input>,
            ) -> S3Result<s3s::S3Response<dto::ListObjectsV2Output>> {
                self.require_bucket(&request.input.bucket)?;
                if request.input.delimiter.is_some() {
                    return self.files.list_objects_v2(request).await;
                }
                let page = self.listings.page(&self.root, request.input);
                page.map(s3s::S3Response::new).map_err(|error| s3_error!(error, InternalError))
            }

            $(async fn $operation(
                &self,
                request: s3s::S3Request<dto::$input>,
            ) -> S3Result<s3s::S3Response<dto::$output>> {
                self.require_bucket(&request.input.bucket)?;
                self.files.$operation(request).await
            })*
        }
    };
}

pass_on! {
    head_bucket(HeadBucketInput) -> HeadBucketOutput;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput;
    get_object(GetObjectInput) -> GetObjectOutput;
    head_object(HeadObjectInput) -> HeadObjectOutput;
    copy_object(CopyObjectInput) -> CopyObjectOutput;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
    list_objects(ListObjectsInput) -> ListObjectsOutput;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    upload_part(UploadPartInput) -> UploadPartOutput;
    list_parts(ListPartsInput) -> ListPartsOutput;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
}
