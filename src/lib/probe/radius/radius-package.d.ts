/** What we use of the package `radius` 1.1.4, which brings no types of its own. */
declare module 'radius' {
  interface EncodeArguments {
    readonly code: string;
    readonly secret: Buffer;
    readonly identifier: number;
    /** The 16 bytes of the request authenticator; absent where the packet's checksum stands there. */
    readonly authenticator?: Buffer;
    /** False: the attributes are all there are. */
    readonly add_message_authenticator: boolean;
    readonly attributes: readonly (readonly [name: string, value: string | number | Buffer])[];
  }

  interface Radius {
    /** To be called before an attribute is looked up. */
    load_dictionaries(): void;
    attr_name_to_id(name: string): string | undefined;
    attr_id_to_name(id: number): string | undefined;
    encode(args: EncodeArguments): Buffer;
    /** MD5 of the packet and the secret. */
    calculate_packet_checksum(packet: Buffer, secret: Buffer): Buffer;
    /** HMAC-MD5 of the packet, keyed with the secret. */
    calculate_message_authenticator(packet: Buffer, secret: Buffer): Buffer;
  }

  const radius: Radius;
  export default radius;
}
