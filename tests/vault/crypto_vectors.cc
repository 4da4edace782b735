#include "tests/vault/crypto_vectors.h"

#include <sodium.h>

#include <random>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "vault/crypto.h"

namespace modelvault {
namespace {

const uint8_t* Bytes(const std::string& s) { return reinterpret_cast<const uint8_t*>(s.data()); }
uint8_t* Bytes(std::string* s) { return reinterpret_cast<uint8_t*>(s->data()); }
std::string Hex(const char* digits) { return absl::HexStringToBytes(digits); }

std::string Case(CryptoCaseKind kind, std::string fixed, std::string a, const std::string& b, uint32_t how) {
  fixed.resize(64);
  std::string rest = fixed + a;
  rest.resize((rest.size() + 3) / 4 * 4);
  rest += b;
  rest.resize((rest.size() + 3) / 4 * 4);
  std::string bytes(20, '\0');
  const uint32_t words[] = {static_cast<uint32_t>(20 + rest.size()), static_cast<uint32_t>(kind),
                            static_cast<uint32_t>(a.size()), static_cast<uint32_t>(b.size()), how};
  for (size_t i = 0; i < 5; ++i) StoreLe32(Bytes(&bytes) + 4 * i, words[i]);
  return bytes + rest;
}

std::string Digest(const std::string& message) {
  std::string digest(kDigestSize, '\0');
  HashState state;
  HostCrypto().hash_begin(&state, nullptr);
  HostCrypto().hash_add(&state, Bytes(message), message.size());
  HostCrypto().hash_end(&state, Bytes(&digest));
  return digest;
}

// What kOpen leaves behind when it refuses.
std::string Untouched(const std::string& cipher, bool in_place) {
  return Digest(in_place ? cipher : std::string(cipher.size(), '\xC3'));
}

std::string Flipped(std::string bytes, size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
  return bytes;
}

std::string Count(size_t from, size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += static_cast<char>(from + i);
  return bytes;
}

struct Sealed {
  std::string cipher;
  std::string tag;
};

Sealed Seal(const std::string& key, const std::string& plain, const std::string& associated) {
  const std::string nonce(crypto_aead_chacha20poly1305_ietf_NPUBBYTES, '\0');
  Sealed sealed = {std::string(plain.size(), '\0'), std::string(kTagSize, '\0')};
  crypto_aead_chacha20poly1305_ietf_encrypt_detached(Bytes(&sealed.cipher), Bytes(&sealed.tag), nullptr, Bytes(plain),
                                                     plain.size(), Bytes(associated), associated.size(), nullptr,
                                                     Bytes(nonce), Bytes(key));
  return sealed;
}

void AddHashes(std::vector<CryptoVector>* vectors) {
  // RFC 7693, appendix B; and of the reference code's known answers, those of no bytes and of 255, with a key.
  vectors->push_back({"Blake2sOfAbc", HashCase("", "abc"), true,
                      Hex("508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982")});
  vectors->push_back({"Blake2sOfNothingWithKey", HashCase(Count(0, 32), ""), true,
                      Hex("48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49")});
  for (const uint32_t piece : {0, 1, 63, 64, 65, 128}) {
    vectors->push_back({absl::StrCat("Blake2sOf255WithKeyInPiecesOf", piece),
                        HashCase(Count(0, 32), Count(0, 255), piece), true,
                        Hex("3fb735061abc519dfe979e54c1ee5bfad0a9d858b3315bad34bde999efd724dd")});
  }
}

struct Signature {
  const char* key;
  const char* message;
  const char* signature;
};

// RFC 8032, 7.1, tests 1 to 3.
constexpr Signature kSignatures[] = {{"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
                                      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
                                      "c61e39701cf9b46bd25bf5f0595bbe2465"
                                      "5141438e7a100b"},
                                     {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
                                      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e"
                                      "458f3613d0f11d8c387b2eaeb4302aeeb0"
                                      "0d291612bb0c00"},
                                     {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
                                      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290"
                                      "ae67f760984dc6594a7c15e9716ed28dc0"
                                      "27beceea1ec40a"}};

// Keys of small order, of Ed25519: 1, -1, 0, and two of order 8; with a sign where that is another encoding.
constexpr const char* kSmallKeys[] = {"0100000000000000000000000000000000000000000000000000000000000000",
                                      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                      "0000000000000000000000000000000000000000000000000000000000000000",
                                      "0000000000000000000000000000000000000000000000000000000000000080",
                                      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                                      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"};

// The order of the group, little-endian.
constexpr char kOrder[] = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

void AddSignatures(std::vector<CryptoVector>* vectors) {
  const std::string nothing(32, '\0');
  size_t number = 0;
  for (const Signature& s : kSignatures) {
    const std::string key = Hex(s.key), message = Hex(s.message), signature = Hex(s.signature);
    ++number;
    vectors->push_back({absl::StrCat("Ed25519Test", number), VerifyCase(signature, message, key), true, nothing});
    for (const size_t bit : {0, 255, 256, 503}) {
      vectors->push_back({absl::StrCat("Ed25519Test", number, "WithBit", bit, "Flipped"),
                          VerifyCase(Flipped(signature, bit), message, key), false, nothing});
    }
    vectors->push_back({absl::StrCat("Ed25519Test", number, "WithAByteMore"), VerifyCase(signature, message + "x", key),
                        false, nothing});
    // The same number modulo the order, so that nothing but its size is wrong.
    std::string larger = signature;
    unsigned carry = 0;
    for (size_t i = 0; i < 32; ++i) {
      carry += Bytes(signature)[32 + i] + Bytes(Hex(kOrder))[i];
      larger[32 + i] = static_cast<char>(carry);
      carry >>= 8;
    }
    vectors->push_back(
        {absl::StrCat("Ed25519Test", number, "WithSNotReduced"), VerifyCase(larger, message, key), false, nothing});
  }
  // S = 1 and R the base point: true for every message under a key that is 1, for many under the others.
  const std::string base = Hex("5866666666666666666666666666666666666666666666666666666666666666");
  const std::string forged = base + '\x01' + std::string(31, '\0');
  number = 0;
  for (const char* key : kSmallKeys) {
    for (const char* message : {"a", "b", "c", "d"}) {
      vectors->push_back(
          {absl::StrCat("Ed25519SmallKey", ++number), VerifyCase(forged, message, Hex(key)), false, nothing});
    }
  }
}

void AddAgreements(std::vector<CryptoVector>* vectors) {
  // RFC 7748, 5.2: the two, and the first step of the iteration.
  vectors->push_back({"X25519First",
                      AgreeCase(Hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                                Hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")),
                      true, Hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")});
  vectors->push_back({"X25519Second",
                      AgreeCase(Hex("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d"),
                                Hex("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493")),
                      true, Hex("95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957")});
  const std::string nine = '\x09' + std::string(31, '\0');
  vectors->push_back({"X25519Nine", AgreeCase(nine, nine), true,
                      Hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")});
  size_t number = 0;
  for (const char* key : {"0000000000000000000000000000000000000000000000000000000000000000",
                          "0100000000000000000000000000000000000000000000000000000000000000",
                          "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                          "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                          "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                          "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                          "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
    vectors->push_back({absl::StrCat("X25519SmallKey", ++number), AgreeCase(nine, Hex(key)), false, ""});
  }
}

void AddOpenings(std::vector<CryptoVector>* vectors) {
  // RFC 8439's vectors for ChaCha20-Poly1305 have nonces that are not zeros. This key stream is of its A.1 (a key of
  // zeros, block 1); these texts, with its 2.8.2's key, text and associated data, were encrypted by another
  // implementation that has been compared with 2.8.2.
  const std::string stream = Hex(
      "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed29b721769ce64e43d57133b074d839d531ed1f28510afb45"
      "ace10a1f4b794d6f");
  const std::string text = Hex(
      "663d7ec45b29ceaaa35505b8c1b3d94613a50fd7e315a748d35a378670746af867ab3404fe7b7655b904162b408190f3f8c781815bb8724e"
      "4ac22ea6351d38468cd370aa8ffb19e96edc915893cc6e1861c2af01ab0fb02df97ea145499bb87d44ec7d738272327290570a03658b27b1"
      "1666");
  const std::string associated = Hex("50515253c0c1c2c3c4c5c6c7"), key = Count(0x80, 32);
  const std::string stream_tag = Hex("75c5180ef52d6921037a3d0af9f0dac8");
  const std::string tag = Hex("5c21ea189f9450ff121509fd8142befc");
  const std::string plain =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be "
      "it.";
  for (const bool in_place : {false, true}) {
    const std::string where = in_place ? "InPlace" : "";
    vectors->push_back({"ChaCha20Poly1305OfZeros" + where,
                        OpenCase(std::string(32, '\0'), stream_tag, "", stream, in_place), true,
                        Digest(std::string(64, '\0'))});
    vectors->push_back(
        {"ChaCha20Poly1305" + where, OpenCase(key, tag, associated, text, in_place), true, Digest(plain)});
    const std::string untouched = Untouched(text, in_place);
    vectors->push_back({"ChaCha20Poly1305OtherAssociated" + where,
                        OpenCase(key, tag, Flipped(associated, 95), text, in_place), false, untouched});
    vectors->push_back({"ChaCha20Poly1305OtherKey" + where,
                        OpenCase(Flipped(key, 255), tag, associated, text, in_place), false, untouched});
    vectors->push_back({"ChaCha20Poly1305Shorter" + where,
                        OpenCase(key, tag, associated, text.substr(0, text.size() - 1), in_place), false,
                        Untouched(text.substr(0, text.size() - 1), in_place)});
    const std::string other = Flipped(text, 8 * text.size() - 1);
    vectors->push_back({"ChaCha20Poly1305OtherText" + where, OpenCase(key, tag, associated, other, in_place), false,
                        Untouched(other, in_place)});
    for (size_t bit = 0; bit < 128; ++bit) {
      vectors->push_back({absl::StrCat("ChaCha20Poly1305WithBit", bit, "OfTagFlipped", where),
                          OpenCase(key, Flipped(tag, bit), associated, text, in_place), false, untouched});
    }
  }
}

}  // namespace

std::string HashCase(const std::string& key, const std::string& message, uint32_t piece) {
  // What a has is its size alone.
  return Case(CryptoCaseKind::kHash, key, key, message, piece);
}

std::string VerifyCase(const std::string& signature, const std::string& message, const std::string& key) {
  return Case(CryptoCaseKind::kVerify, signature, key, message, 0);
}

std::string AgreeCase(const std::string& secret, const std::string& key) {
  return Case(CryptoCaseKind::kAgree, secret + key, "", "", 0);
}

std::string OpenCase(const std::string& key, const std::string& tag, const std::string& associated,
                     const std::string& cipher, bool in_place) {
  return Case(CryptoCaseKind::kOpen, key + tag, associated, cipher, in_place ? 1 : 0);
}

std::string SealedCase(const std::string& plain, const std::string& associated, bool in_place) {
  const std::string key(kSecretKeySize, '\0');
  const Sealed sealed = Seal(key, plain, associated);
  return OpenCase(key, sealed.tag, associated, sealed.cipher, in_place);
}

std::vector<CryptoVector> KnownCryptoVectors() {
  std::vector<CryptoVector> vectors;
  AddHashes(&vectors);
  AddSignatures(&vectors);
  AddAgreements(&vectors);
  AddOpenings(&vectors);
  return vectors;
}

std::vector<CryptoVector> RandomCryptoVectors(uint32_t seed) {
  std::mt19937 random(seed);
  const auto bytes = [&random](size_t count) {
    std::string made;
    for (size_t i = 0; i < count; ++i) made += static_cast<char>(random());
    return made;
  };
  const auto below = [&random](uint32_t end) { return static_cast<uint32_t>(random() % end); };
  std::vector<CryptoVector> vectors;
  const auto add = [&vectors](const char* what, std::string of, bool accepted) {
    vectors.push_back({absl::StrCat(what, vectors.size()), std::move(of), accepted, ""});
  };
  for (const size_t size : {0, 1, 3, 15, 16, 17, 63, 64, 65, 127, 128, 129, 200, 1000}) {
    add("Hash", HashCase("", bytes(size), 1 + below(100)), true);
    add("KeyedHash", HashCase(bytes(32), bytes(size), 1 + below(100)), true);

    std::string key(32, '\0'), secret(64, '\0'), signature(64, '\0'), message = bytes(size);
    crypto_sign_ed25519_seed_keypair(Bytes(&key), Bytes(&secret), Bytes(bytes(32)));
    crypto_sign_ed25519_detached(Bytes(&signature), nullptr, Bytes(message), size, Bytes(secret));
    add("Signature", VerifyCase(signature, message, key), true);
    add("BadSignature", VerifyCase(Flipped(signature, below(512)), message, key), false);
    add("SignatureOfAnother", VerifyCase(signature, message, bytes(31) + '\0'), false);

    add("Agreement", AgreeCase(bytes(32), bytes(32)), true);

    const std::string associated = bytes(below(40)), cipher_key = bytes(32);
    const Sealed sealed = Seal(cipher_key, message, associated);
    for (const bool in_place : {false, true}) {
      add("Opening", OpenCase(cipher_key, sealed.tag, associated, sealed.cipher, in_place), true);
      add("BadOpening", OpenCase(cipher_key, Flipped(sealed.tag, below(128)), associated, sealed.cipher, in_place),
          false);
    }
  }
  return vectors;
}

std::string RunOnHost(const CryptoVector& vector) {
  std::string ram(LoadLe32(Bytes(vector.bytes) + 12), '\0');
  const CryptoResult result = RunCryptoCase(
      HostCrypto(), Bytes(vector.bytes), Bytes(&ram), [](CryptoCaseKind) {}, [] {});
  const std::string output(reinterpret_cast<const char*>(result.output), sizeof(result.output));
  return absl::StrCat(result.accepted ? "1 " : "0 ", absl::BytesToHexString(output));
}

}  // namespace modelvault
