/** For a load balancer that asks for no more than the status. */
export { default } from './health.get.ts'
