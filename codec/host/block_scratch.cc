#include "codec/host/block_scratch.h"

#include <memory>

namespace modelvault {

BlockScratch::BlockScratch() : rep_(std::make_unique<Rep>()) {}
BlockScratch::~BlockScratch() = default;
BlockScratch::BlockScratch(BlockScratch&&) noexcept = default;
BlockScratch& BlockScratch::operator=(BlockScratch&&) noexcept = default;

}  // namespace modelvault
