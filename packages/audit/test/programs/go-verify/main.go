// Verifies a log, a checkpoint and two proofs without the code of the package: hashes and chain from the
// lines, the root by transparency-dev/merkle, the signature by Go's note package.
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

type input struct {
	VerifierKey string   `json:"verifierKey"`
	Note        string   `json:"note"`
	Lines       []string `json:"lines"`
	Inclusion   struct {
		Sequence uint64   `json:"sequence"`
		Nodes    []string `json:"nodes"`
	} `json:"inclusion"`
	Consistency struct {
		From     uint64   `json:"from"`
		FromRoot string   `json:"fromRoot"`
		Nodes    []string `json:"nodes"`
	} `json:"consistency"`
}

type event struct {
	Sequence uint64 `json:"sequence"`
	Log      string `json:"log"`
	Prev     string `json:"prev"`
	Hash     string `json:"hash"`
}

// The line is canonical JSON, and so is the line without the member hash.
var member = regexp.MustCompile(`,"hash":"[0-9a-f]{64}"`)

func main() {
	if len(os.Args) == 3 {
		verifyBundle(os.Args[1], os.Args[2])
		return
	}
	var in input
	check(json.NewDecoder(os.Stdin).Decode(&in))

	tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	leaves := make([][]byte, 0, len(in.Lines))
	prev := ""
	for i, line := range in.Lines {
		var e event
		check(json.Unmarshal([]byte(line), &e))
		if i == 0 {
			prev = sum("temper-audit genesis v2\n" + e.Log)
		}
		checkHash(line, e, uint64(i+1))
		if e.Prev != prev || e.Sequence != uint64(i+1) {
			fail("event %d does not continue the chain", i+1)
		}
		prev = e.Hash
		data, err := hex.DecodeString(e.Hash)
		check(err)
		leaf := rfc6962.DefaultHasher.HashLeaf(data)
		leaves = append(leaves, leaf)
		check(tree.Append(leaf, nil))
	}

	verifier, err := note.NewVerifier(in.VerifierKey)
	check(err)
	opened, err := note.Open([]byte(in.Note), note.VerifierList(verifier))
	check(err)
	size, root := checkpoint(opened.Text)
	own, err := tree.GetRootHash(nil)
	check(err)
	if size != uint64(len(in.Lines)) || string(own) != string(root) {
		fail("the checkpoint is not of these events")
	}
	hasher := rfc6962.DefaultHasher
	index := in.Inclusion.Sequence - 1
	check(proof.VerifyInclusion(hasher, index, size, leaves[index], decode(in.Inclusion.Nodes...), root))
	before := in.Consistency
	check(proof.VerifyConsistency(hasher, before.From, size, decode(before.Nodes...), decode(before.FromRoot)[0], root))
	fmt.Printf("%d events, root %s\n", size, base64.StdEncoding.EncodeToString(root))
}

// Size and root of the body of a checkpoint.
func checkpoint(text string) (uint64, []byte) {
	body := strings.Split(text, "\n")
	size, err := strconv.ParseUint(body[1], 10, 64)
	check(err)
	return size, decode(body[2])[0]
}

func checkHash(line string, e event, sequence uint64) {
	// Details may have a member of that name too: one of them is the hash of the rest.
	for _, at := range member.FindAllStringIndex(line, -1) {
		if sum("temper-audit event v2\n"+line[:at[0]]+line[at[1]:]) == e.Hash {
			return
		}
	}
	fail("event %d does not match its hash", sequence)
}

func sum(text string) string {
	hash := sha256.Sum256([]byte(text))
	return hex.EncodeToString(hash[:])
}

func decode(texts ...string) [][]byte {
	all := make([][]byte, 0, len(texts))
	for _, text := range texts {
		data, err := base64.StdEncoding.DecodeString(text)
		check(err)
		all = append(all, data)
	}
	return all
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}
