// Package export writes the nightly reconciliation export for finance: what one business day holds, as known at one
// instant, as files that can be read without Seam and are never changed afterwards.
//
// In come a Snapshot (tables with their columns and rows in key order, the cut-off, what was read) and a Destination (a
// folder or an S3 bucket); out go files. It asks nobody for rows, decides nothing about them, and keeps none in memory.
//
// # What finance reads
//
//	2026-11-24/latest.json                       the newest version: {"version": "v2", "manifest": "v2/manifest.json", "sha256": …}
//	2026-11-24/v1/manifest.json                  what the version holds, and of what
//	2026-11-24/v1/orders-5f3a61c09b7e.csv        one CSV and one Parquet file per table; the name ends in the first
//	2026-11-24/v1/orders-08e1d7aa4c52.parquet    12 digits of the file's SHA-256, so it never names other bytes
//	2026-11-24/v2/…                              the day again, after a correction
//
// Begin at latest.json, read the manifest that it names, then the files that the manifest names, and no others: a file
// without a manifest that names it is left over from a run that died or lost a race, and is removed by a later run. The
// manifest carries bytes, rows and SHA-256 of each file, and per table the sum of each amount column per currency, to be
// compared with what was loaded.
//
// Parquet holds the values exactly: amounts are DECIMAL(20,4), instants TIMESTAMP(MICROS) in UTC, days DATE, compressed by
// zstd. A program should read Parquet.
//
// CSV is RFC 4180: UTF-8 without a byte order mark, comma, CRLF after each line and the last, one header line. Text is
// always in quotes, everything else never. NULL is nothing at all between two commas; the empty string is "" (PostgreSQL's
// COPY … CSV reads both right as it is). Amounts have 4 decimals (-0.0001), instants 6 (2026-11-24T22:59:59.000000Z), days
// are 2026-11-24, booleans true or false. A spreadsheet takes a cell that begins with = + - @ for a formula, and customers
// write some of our text; so a text cell that begins with one of these, with their full-width forms, with a tab or a line
// break is written with an apostrophe before it, and so is a text cell that begins with an apostrophe. A reader takes the
// first apostrophe of a text cell off, whatever follows: no value is lost. Amounts are not text and are left alone.
//
// # Versions
//
// A day exported again with the same content stays as it is: same columns, keys and rows of every table, same cut-off,
// zone, late-arrival policy and environment. How far the topics were read, when it was known and when it was written are
// not content. Other content becomes the next version, whose manifest says which version it corrects and how many rows of
// each table were added, removed or changed, by key. A version that was written is never changed.
//
// The late-arrival policy says where a fact belongs that became known after its day was exported; the rows given already
// follow it. See Late.
//
// Two runs over the same snapshot by the same build give the same bytes in every file. Another build may compress Parquet
// otherwise, so whether content is the same is decided by the CSV, which has one way to write each value.
//
// # Why it is so
//
// Why digests in file names: a bucket can claim a name (If-None-Match), but only one at a time. So the manifest is the claim,
// written last, and two runs that write the same version at once must not overwrite each other's files before it.
//
// Why a version without a manifest is not removed at once: a run that is just writing it looks the same as one that died. The run
// that claims the version removes what its manifest does not name.
package export
