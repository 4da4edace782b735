// What the frame of a model file says of the file: which bytes are tensors, and where all others stand.
#ifndef MODELVAULT_RESTORE_MODEL_STRUCTURE_H_
#define MODELVAULT_RESTORE_MODEL_STRUCTURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "codec/model_tensor.h"

namespace modelvault {

// Bytes of a frame that stand together in the file.
struct FramePiece {
  uint64_t data_offset = 0;  // They come before this byte of the data section; its size for those behind all tensors.
  uint64_t size = 0;

  bool operator==(const FramePiece&) const = default;
};

// Tensors that the file has block by block, such as a scale and the 32 weights that it is for. In the data section each
// is in one piece, one after the other; no piece of the frame stands between them.
struct Weave {
  uint64_t data_offset = 0;
  uint64_t blocks = 0;
  std::vector<uint32_t> parts;  // Bytes that each tensor has of a block.

  uint64_t block_size() const {
    uint64_t size = 0;
    for (const uint32_t part : parts) size += part;
    return size;
  }
  uint64_t size() const { return blocks * block_size(); }
  uint64_t end() const { return data_offset + size(); }

  bool operator==(const Weave&) const = default;
};

// A file of a model that has several.
struct FilePart {
  std::string path;   // Relative, its parts separated by '/'; none of them is empty, "." or "..".
  uint64_t size = 0;  // Bytes.

  bool operator==(const FilePart&) const = default;
};

// What a frame says of its file.
struct ModelStructure {
  std::vector<ModelTensor> tensors;  // In data order; together they cover the data section without hole or overlap.
  std::vector<FramePiece> pieces;    // By ascending data_offset; together the frame behind its description.
  uint64_t description_size = 0;     // Bytes of the frame that describe the file and are not in it; they come first.
  std::vector<Weave> weaves;         // By ascending data_offset.
  std::vector<FilePart> files;       // In the order of the bytes, and together all of them; empty: one file.
  std::string format;                // The format's name, for messages.
  bool whole_file = false;           // The file was taken as a data section without anything between the tensors.
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_MODEL_STRUCTURE_H_
