/** MessagePack, as far as the agent's traces need it. */
export function decode(bytes) {
  let at = 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (length) => {
    at += length;
    return bytes.subarray(at - length, at).toString();
  };
  const list = (length) => Array.from({ length }, read);
  const map = (length) => Object.fromEntries(Array.from({ length }, () => [read(), read()]));
  const number = (method, size) => {
    const value = view[method](at);
    at += size;
    return value;
  };
  function read() {
    const type = bytes[at++];
    if (type <= 0x7f) return type;
    if (type <= 0x8f) return map(type & 0x0f);
    if (type <= 0x9f) return list(type & 0x0f);
    if (type <= 0xbf) return text(type & 0x1f);
    if (type >= 0xe0) return type - 256;
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return text(number('getUint8', 1));
      case 0xc5:
        return text(number('getUint16', 2));
      case 0xc6:
        return text(number('getUint32', 4));
      case 0xca:
        return number('getFloat32', 4);
      case 0xcb:
        return number('getFloat64', 8);
      case 0xcc:
        return number('getUint8', 1);
      case 0xcd:
        return number('getUint16', 2);
      case 0xce:
        return number('getUint32', 4);
      case 0xcf:
        return number('getBigUint64', 8);
      case 0xd0:
        return number('getInt8', 1);
      case 0xd1:
        return number('getInt16', 2);
      case 0xd2:
        return number('getInt32', 4);
      case 0xd3:
        return number('getBigInt64', 8);
      case 0xd9:
        return text(number('getUint8', 1));
      case 0xda:
        return text(number('getUint16', 2));
      case 0xdb:
        return text(number('getUint32', 4));
      case 0xdc:
        return list(number('getUint16', 2));
      case 0xdd:
        return list(number('getUint32', 4));
      case 0xde:
        return map(number('getUint16', 2));
      case 0xdf:
        return map(number('getUint32', 4));
      default:
        throw new Error(`MessagePack type ${type}`);
    }
  }
  return read();
}
