/** Key and certificate in PEM. */
export interface Certificate {
    readonly key: string;
    readonly cert: string;
}
/** A self-signed certificate for localhost, created for this process. */
export declare function selfSigned(): Certificate;
//# sourceMappingURL=certificate.d.ts.map