package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Destination is where exports are kept: a folder or a bucket. Names are relative, with slashes: 2026-11-24/latest.json.
// It may be used by several processes at once.
type Destination interface {
	// Open reads an object; fs.ErrNotExist where there is none.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// Put writes an object: when it returns nil the object is durable, and at no time is it there in part. ErrExists where it
	// is to be written once and is there.
	Put(ctx context.Context, o Object) error
	// List gives the names of all objects that begin with a prefix, in any order, and of what a Put that died left behind.
	List(ctx context.Context, prefix string) ([]string, error)
	// Remove takes an object away; none is no error.
	Remove(ctx context.Context, name string) error
}

// ErrExists tells that an object is there already.
var ErrExists = errors.New("exists already")

// Object is what is put into a destination.
type Object struct {
	Name   string
	Body   io.ReadSeeker // at its beginning; it may be read several times
	Size   int64         // bytes of Body
	SHA256 string        // of Body, 64 hex digits: what is stored is held to it
	Once   bool          // only if there is none of this name; else it is replaced
}

// Open gives the destination that a text names: s3://bucket/prefix, or a folder that exists. It does no I/O but to look
// at the folder; getenv is os.Getenv.
//
// A folder must be on a file system with hard links, which is how a manifest is written once.
//
// For a bucket the AWS_* variables count: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or without them
// the role of the pod, container or machine; AWS_REGION or AWS_DEFAULT_REGION (default us-east-1); AWS_ENDPOINT_URL_S3 or
// AWS_ENDPOINT_URL for a store other than AWS, whose buckets are then part of the path. The store must honour
// If-None-Match on PUT, and the role may get, put, list and delete below the prefix. An object above 64 MiB goes in parts: a
// lifecycle rule of the bucket should remove uploads that a dead run left incomplete.
func Open(where string, getenv func(string) string) (Destination, error) {
	if !strings.Contains(where, "://") {
		return openFolder(where)
	}
	u, err := url.Parse(where)
	if err != nil {
		return nil, fmt.Errorf("destination: %w", err)
	}
	if u.Scheme != "s3" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("destination %s is neither a folder nor s3://bucket/prefix", u.Redacted())
	}
	return openBucket(u.Host, strings.Trim(u.Path, "/"), getenv)
}

// openFolder gives a folder that is there: one that is not may be a disk that is not mounted.
func openFolder(path string) (Destination, error) {
	at, err := os.Stat(path)
	if err == nil && !at.IsDir() {
		err = fmt.Errorf("%s is not a folder", path)
	}
	if err != nil {
		return nil, fmt.Errorf("destination: %w: create the folder, or mount it", err)
	}
	return folder(filepath.Clean(path)), nil
}
