"""Whose vaults are taken, and what keys open: of the golden vault with tenants, of which acme. is sealed for the ward,
beta. for ward and clinic, and open. is not sealed."""

import datetime
import io
import unittest

import vaults

import modelvault

GOLDEN = vaults.ROOT / "tests" / "vault" / "golden"
VAULT = GOLDEN / "v1.4-tenants.mvlt"
REVOCATIONS = GOLDEN / "v1.4-tenants.revocations"
ROOT = GOLDEN / "keys-1.4" / "root.pub"
# It is valid then.
VALID = 1700000000


def key(name):
    return (GOLDEN / "keys-1.4" / name).read_bytes()


def packed(name):
    """What the tensors of a golden input are."""
    tensors = vaults.read_safetensors(GOLDEN / "inputs" / f"{name}.safetensors")
    return {tensor: data for tensor, (_, _, data) in tensors.items()}


def trusting(source=VAULT, **more):
    return modelvault.Vault(source, **{"trust": ROOT, "at": VALID, **more})


class TrustTest(vaults.FolderTest):
    def assert_restores(self, vault, name, source):
        self.assertEqual({key: array.tobytes() for key, array in vault[name].tensors()}, packed(source))
        path = self.folder / "restored"
        vault[name].save(path)
        self.assertEqual(path.read_bytes(), (GOLDEN / "inputs" / f"{source}.safetensors").read_bytes())

    def assert_refused(self, kind, pattern, use):
        with self.assertRaisesRegex(kind, pattern) as caught:
            use()
        self.assertIs(type(caught.exception), kind)
        return caught.exception

    def test_sealed_variants(self):
        path = self.folder / "ward.key"
        path.write_bytes(key("ward.key"))
        path.chmod(0o600)
        for source in (VAULT, VAULT.read_bytes(), io.BytesIO(VAULT.read_bytes())):
            for keys in (path, key("ward.key"), [str(path), key("acme.content")]):
                vault = trusting(source, keys=keys, require_signature=True)
                self.assertEqual([name for name in vault if "." in name],
                                 ["acme.heart", "beta.liver", "beta.same", "open.lung"])
                self.assert_restores(vault, "acme.heart", "cardiology")
                self.assert_restores(vault, "beta.liver", "ultrasound")
                self.assertEqual(vault["acme.heart"].digests, vault["cardiology"].digests)
                vault.verify()

    def test_without_the_key(self):
        for keys in ((), key("clinic.key")):
            vault = trusting(keys=keys)
            error = self.assert_refused(modelvault.Sealed, "tenant 'acme.'", lambda vault=vault: vault["acme.heart"])
            self.assertEqual(error.variant, "acme.heart")
            hidden = next(name for name in vault if name.startswith("acme.~"))
            self.assert_refused(modelvault.Sealed, "needs its key", lambda vault=vault: dict(vault[hidden].tensors()))
            self.assert_refused(modelvault.NotFound, "no variant", lambda vault=vault: vault["open.heart"])
            vault.verify()
        self.assert_restores(vault, "beta.liver", "ultrasound")

    def test_whom_to_trust(self):
        unsigned, other = GOLDEN / "v1.0.mvlt", GOLDEN / "v1.4.mvlt"
        self.assert_refused(modelvault.Untrusted, "not signed", lambda: trusting(unsigned, require_signature=True))
        self.assert_refused(modelvault.Untrusted, "signed by others", lambda: trusting(other))
        for needs in ({"require_signature": True}, {"min_version": 1}, {"at": VALID}, {"revocations": REVOCATIONS}):
            self.assert_refused(modelvault.InvalidArgument, "whose signature",
                                lambda needs=needs: modelvault.Vault(VAULT, trust=[], **needs))
        modelvault.Vault(unsigned)

    def test_version_and_time(self):
        trusting(min_version=5)
        self.assert_refused(modelvault.RolledBack, "expected at least 6", lambda: trusting(min_version=6))
        early = datetime.datetime.fromtimestamp(VALID - 1, datetime.timezone.utc)
        self.assert_refused(modelvault.Expired, "valid from", lambda: trusting(at=early))
        self.assert_refused(modelvault.Expired, "valid from", lambda: trusting(at=4102444801))
        trusting(at=early + datetime.timedelta(seconds=1))
        trusting(at=-1)

    def test_revocations(self):
        for revocations in (REVOCATIONS, REVOCATIONS.read_bytes()):
            vault = trusting(keys=key("ward.key"), revocations=revocations, min_revocations=3)
            for name in ("open.lung", "beta.liver"):
                error = self.assert_refused(modelvault.Revoked, "revoked", lambda name=name: vault[name])
                self.assertEqual(error.variant, name)
            self.assert_restores(vault, "beta.same", "unchanged")
            self.assert_refused(modelvault.Revoked, "revoked", vault.verify)
        self.assert_refused(modelvault.RolledBack, "older one",
                            lambda: trusting(revocations=REVOCATIONS, min_revocations=4))
        self.assert_refused(modelvault.Damaged, "no revocation list", lambda: trusting(revocations=VAULT.read_bytes()))

    def test_nothing_is_handed_out_that_was_tampered_with(self):
        sound = VAULT.read_bytes()
        refused = 0
        for place in range(0, len(sound), 7):
            data = bytearray(sound)
            data[place] ^= 1 << place % 8
            try:
                vault = trusting(data, keys=key("ward.key"))
                for name in ("acme.heart", "open.lung"):
                    self.assertEqual({k: array.tobytes() for k, array in vault[name].tensors()}, packed("cardiology"))
            except modelvault.Untrusted:
                refused += 1
                continue
            except (modelvault.Damaged, modelvault.Unsupported):
                continue
            with self.assertRaises((modelvault.Untrusted, modelvault.Damaged), msg=place):
                vault.verify()
        self.assertGreater(refused, 0)

    def test_what_to_remember(self):
        signature = trusting(revocations=REVOCATIONS).signature
        self.assertEqual((signature.trusted, signature.version, signature.revocations), (True, 5, 3))
        self.assertEqual(signature.not_before.timestamp(), VALID)
        self.assertEqual(signature.not_after.year, 2100)
        again = modelvault.Vault(VAULT, key_set=signature.key_set, min_version=signature.version, at=VALID)
        self.assertEqual(again.signature.key_set, signature.key_set)
        self.assert_refused(modelvault.Untrusted, "signed by others",
                            lambda: modelvault.Vault(GOLDEN / "v1.4.mvlt", key_set=signature.key_set, at=VALID))
        self.assertEqual(modelvault.Vault(VAULT).signature,
                         signature._replace(trusted=False, key_set=None, revocations=0))
        self.assertIsNone(modelvault.Vault(GOLDEN / "v1.0.mvlt").signature)

    def test_keys_that_cannot_serve(self):
        shared = self.folder / "ward.key"
        shared.write_bytes(key("ward.key"))
        shared.chmod(0o644)
        missing = str(self.folder / "none")
        error = self.assert_refused(modelvault.InvalidArgument, "chmod 600", lambda: trusting(keys=shared))
        self.assertEqual(error.path, str(shared))
        for source in (VAULT, VAULT.read_bytes()):
            error = self.assert_refused(modelvault.FileMissing, "none",
                                        lambda source=source: trusting(source, keys=missing))
            self.assertEqual(error.filename, missing)
        self.assert_refused(modelvault.InvalidArgument, "expected a public", lambda: trusting(trust=key("ward.key")))
        self.assert_refused(modelvault.InvalidArgument, "expected a tenant's content key",
                            lambda: trusting(keys=ROOT.read_bytes()))
        self.assert_refused(modelvault.InvalidArgument, "no key", lambda: trusting(keys=b""))
        self.assert_refused(modelvault.InvalidArgument, "NUL", lambda: trusting(trust="a\0b"))
        self.assertRaises(TypeError, trusting, keys=[3])
        self.assertRaises(TypeError, trusting, keys=3)

    def test_numbers_that_cannot_be(self):
        for wrong in ({"threshold": 2}, {"threshold": -1}, {"threshold": 2**32 + 1}, {"min_version": -1}, {"at": 0},
                      {"min_version": 2**64}, {"at": -2}, {"at": 2**63}, {"at": datetime.datetime(2024, 1, 1)},
                      {"min_revocations": 1}, {"min_revocations": -1}, {"key_set": "0"}, {"trust": [ROOT, ROOT]}):
            with self.assertRaises(modelvault.InvalidArgument, msg=wrong):
                trusting(**wrong)


if __name__ == "__main__":
    unittest.main()
