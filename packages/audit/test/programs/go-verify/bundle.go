package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

type manifest struct {
	Format string `json:"format"`
	From   uint64 `json:"from"`
	To     uint64 `json:"to"`
	Before *struct {
		Hash     string   `json:"hash"`
		Frontier []string `json:"frontier"`
	} `json:"before"`
	Checkpoints []string `json:"checkpoints"`
	Proofs      []struct {
		From  uint64   `json:"from"`
		To    uint64   `json:"to"`
		Nodes []string `json:"nodes"`
	} `json:"proofs"`
}

// Verifies an evidence bundle: every event is in the tree of every checkpoint that covers it, and the key has
// signed all of them.
func verifyBundle(path string, key string) {
	file, err := os.Open(path)
	check(err)
	unzipped, err := gzip.NewReader(file)
	check(err)
	archive := tar.NewReader(unzipped)
	var m manifest
	check(json.Unmarshal(entry(archive, "evidence.json"), &m))
	lines := strings.Split(strings.TrimSuffix(string(entry(archive, "events.jsonl")), "\n"), "\n")

	prev := ""
	nodes := [][]byte{}
	if m.Before != nil {
		prev = m.Before.Hash
		for _, node := range m.Before.Frontier {
			data, err := hex.DecodeString(node)
			check(err)
			nodes = append(nodes, data)
		}
	}
	tree, err := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewRange(0, m.From-1, nodes)
	check(err)
	roots := map[uint64][]byte{}
	if m.From > 1 {
		roots[m.From-1], err = tree.GetRootHash(nil)
		check(err)
	}
	for i, line := range lines {
		var e event
		check(json.Unmarshal([]byte(line), &e))
		sequence := m.From + uint64(i)
		if sequence == 1 {
			prev = sum("temper-audit genesis v2\n" + e.Log)
		}
		checkHash(line, e, sequence)
		if e.Prev != prev || e.Sequence != sequence {
			fail("event %d does not continue the chain", sequence)
		}
		prev = e.Hash
		data, err := hex.DecodeString(e.Hash)
		check(err)
		check(tree.Append(rfc6962.DefaultHasher.HashLeaf(data), nil))
		roots[sequence], err = tree.GetRootHash(nil)
		check(err)
	}
	if uint64(len(lines)) != m.To-m.From+1 {
		fail("the bundle has %d events", len(lines))
	}

	verifier, err := note.NewVerifier(key)
	check(err)
	for _, text := range m.Checkpoints {
		opened, err := note.Open([]byte(text), note.VerifierList(verifier))
		check(err)
		size, root := checkpoint(opened.Text)
		if own, inside := roots[size]; inside {
			if string(own) != string(root) {
				fail("the events are not those of the checkpoint over %d", size)
			}
			continue
		}
		proven := false
		for _, p := range m.Proofs {
			if p.From == m.To && p.To == size {
				check(proof.VerifyConsistency(rfc6962.DefaultHasher, m.To, size, decode(p.Nodes...), roots[m.To], root))
				proven = true
			}
			if p.From == size && p.To == m.To {
				check(proof.VerifyConsistency(rfc6962.DefaultHasher, size, m.To, decode(p.Nodes...), root, roots[m.To]))
				proven = true
			}
		}
		if !proven {
			fail("no proof leads to the checkpoint over %d events", size)
		}
	}
	fmt.Printf("%d to %d, %d checkpoints\n", m.From, m.To, len(m.Checkpoints))
}

func entry(archive *tar.Reader, name string) []byte {
	header, err := archive.Next()
	check(err)
	if header.Name != name {
		fail("the bundle has %s in the place of %s", header.Name, name)
	}
	data, err := io.ReadAll(archive)
	check(err)
	return data
}
