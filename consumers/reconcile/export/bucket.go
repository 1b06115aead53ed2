package export

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// bucket is a Destination in an S3-compatible store.
type bucket struct {
	client *minio.Client
	name   string
	prefix string // without slashes around it; may be empty
	single int64  // bytes: a larger object is sent in parts
}

var _ Destination = (*bucket)(nil)

// An object of up to singleBytes goes in one request, signed with its SHA-256, so that the store refuses another; a larger
// one in parts, each with its MD5.
const (
	singleBytes = 64 << 20
	partBytes   = 16 << 20 // held in memory
)

func openBucket(name, prefix string, getenv func(string) string) (Destination, error) {
	if err := s3utils.CheckValidBucketName(name); err != nil {
		return nil, fmt.Errorf("destination s3://%s: %w", name, err)
	}
	first := func(names ...string) string {
		for _, n := range names {
			if v := getenv(n); v != "" {
				return v
			}
		}
		return ""
	}
	region := cmp.Or(first("AWS_REGION", "AWS_DEFAULT_REGION"), "us-east-1")
	options := &minio.Options{Secure: true, Region: region, Creds: credentials.NewIAM("")}
	if key := getenv("AWS_ACCESS_KEY_ID"); key != "" {
		options.Creds = credentials.NewStaticV4(key, getenv("AWS_SECRET_ACCESS_KEY"), getenv("AWS_SESSION_TOKEN"))
	}
	host := "s3.amazonaws.com" // the library makes it the region's
	if endpoint := first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"); endpoint != "" {
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || strings.Trim(u.Path, "/") != "" {
			return nil, errors.New("AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL is not an endpoint: write it as https://host:port")
		}
		host, options.Secure, options.BucketLookup = u.Host, u.Scheme == "https", minio.BucketLookupPath
	}
	client, err := minio.New(host, options)
	if err != nil {
		return nil, fmt.Errorf("destination s3://%s at %s: %w", name, host, err)
	}
	return &bucket{client: client, name: name, prefix: prefix, single: singleBytes}, nil
}

func (b *bucket) key(name string) string { return path.Join(b.prefix, name) }

// fault names the object and what is wrong with it.
func (b *bucket) fault(verb, name string, err error) error {
	answer := minio.ToErrorResponse(err)
	switch {
	case answer.Code == minio.NoSuchKey:
		err = fs.ErrNotExist
	case answer.StatusCode == http.StatusPreconditionFailed, answer.Code == "ConditionalRequestConflict":
		err = ErrExists
	case answer.Code == minio.NoSuchBucket:
		err = fmt.Errorf("%w: create it, or mend the destination", err)
	case answer.Code == minio.AccessDenied:
		err = fmt.Errorf("%w: the role needs s3:GetObject, PutObject, DeleteObject and ListBucket below the prefix", err)
	case answer.StatusCode == http.StatusNotImplemented:
		err = fmt.Errorf("%w: the store does not write once (If-None-Match): use one that does", err)
	}
	return fmt.Errorf("%s s3://%s/%s: %w", verb, b.name, b.key(name), err)
}

// Open gets the object.
func (b *bucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	o, err := b.client.GetObject(ctx, b.name, b.key(name), minio.GetObjectOptions{})
	if err != nil {
		return nil, b.fault("get", name, err)
	}
	if _, err := o.Stat(); err != nil { // the library asks only now
		return nil, errors.Join(b.fault("get", name, err), o.Close())
	}
	return o, nil
}

// Put sends the object, which appears when all of it is there.
func (b *bucket) Put(ctx context.Context, o Object) error {
	if _, err := o.Body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	options := minio.PutObjectOptions{ContentType: contentType(o.Name), UserMetadata: map[string]string{"sha256": o.SHA256},
		DisableContentSha256: true} // not computed while it is sent: it is known, or the signed MD5 stands for it
	if o.Once {
		options.SetMatchETagExcept("*")
	}
	var err error
	if o.Size <= b.single {
		_, err = minio.Core{Client: b.client}.PutObject(ctx, b.name, b.key(o.Name), o.Body, o.Size, "", o.SHA256, options)
	} else {
		options.SendContentMd5, options.PartSize = true, partBytes
		_, err = b.client.PutObject(ctx, b.name, b.key(o.Name), o.Body, o.Size, options)
	}
	if err != nil {
		return b.fault("put", o.Name, err)
	}
	return nil
}

func contentType(name string) string {
	switch path.Ext(name) {
	case ".csv":
		return "text/csv; charset=utf-8; header=present"
	case ".parquet":
		return "application/vnd.apache.parquet"
	}
	return "application/json"
}

// List lists the bucket below the prefix.
func (b *bucket) List(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	below := ""
	if b.prefix != "" {
		below = b.prefix + "/"
	}
	for o := range b.client.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Prefix: below + prefix, Recursive: true}) {
		if o.Err != nil {
			return nil, b.fault("list", prefix, o.Err)
		}
		names = append(names, strings.TrimPrefix(o.Key, below))
	}
	return names, ctx.Err()
}

// Remove deletes the object.
func (b *bucket) Remove(ctx context.Context, name string) error {
	if err := b.client.RemoveObject(ctx, b.name, b.key(name), minio.RemoveObjectOptions{}); err != nil {
		return b.fault("delete", name, err)
	}
	return nil
}
