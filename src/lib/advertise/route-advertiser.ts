/** How a host route is made, beside its address and interface. */
export interface RouteOptions {
  readonly metric: number | undefined;
  readonly table: string | undefined;
  readonly via: string | undefined;
  readonly src: string | undefined;
}
