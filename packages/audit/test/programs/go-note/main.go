// Verifies a cosigned checkpoint with Go's own note package and Ed25519.
//
// The module is put together by the test: `note` is a copy of golang.org/x/mod/sumdb/note, which Go ships.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"

	"check/note"
)

// cosigned verifies signatures of the type 4, which the note package leaves to others.
type cosigned struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c cosigned) Name() string    { return c.name }
func (c cosigned) KeyHash() uint32 { return c.hash }
func (c cosigned) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(sig))
	text.Write(msg)
	return ed25519.Verify(c.key, text.Bytes(), sig[8:])
}

func newCosigned(vkey string) (cosigned, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return cosigned{}, fmt.Errorf("malformed key")
	}
	data, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(data) != 33 || data[0] != 4 {
		return cosigned{}, fmt.Errorf("malformed key data")
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), data...))
	id := binary.BigEndian.Uint32(sum[:])
	if fmt.Sprintf("%08x", id) != parts[1] {
		return cosigned{}, fmt.Errorf("key id %08x, not %s", id, parts[1])
	}
	return cosigned{parts[0], id, data[1:]}, nil
}

func main() {
	log, err := note.NewVerifier(os.Args[1])
	check(err)
	witness, err := newCosigned(os.Args[2])
	check(err)
	text, err := io.ReadAll(os.Stdin)
	check(err)
	opened, err := note.Open(text, note.VerifierList(log, witness))
	check(err)
	for _, sig := range opened.Sigs {
		fmt.Println(sig.Name)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
